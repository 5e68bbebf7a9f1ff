"""What is closed at the end of a `with` block."""

from abc import ABC, abstractmethod
from typing import TypeVar

_Self = TypeVar("_Self", bound="Closing")


class Closing(ABC):
    """Something that holds memory until it is closed; closing it twice does no harm."""

    @abstractmethod
    def close(self) -> None:
        """Give the memory back."""

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
