"""Who sent a command to a run, or resumed it: several people and programs may watch and steer the same one."""

from __future__ import annotations

import getpass
import os
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from regtui.text import one_line


class Who(BaseModel):
    """A process and the user to whom it belongs.

    Attributes:
        pid: The process number.
        user: The user's login name, or number if the system knows no name.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: int = Field(ge=0)
    user: Annotated[str, AfterValidator(one_line)]

    @classmethod
    def here(cls) -> Self:
        """This process."""
        try:
            user = getpass.getuser()
        except (KeyError, OSError, ImportError):  # no such user in the system's list, and none in the environment
            user = str(os.getuid()) if hasattr(os, "getuid") else ""
        return cls(pid=os.getpid(), user=user)
