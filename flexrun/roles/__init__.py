"""The roles that a process of flexrun can play: a module for each, loaded only where its role is played."""

from typing import Literal

Role = Literal["gateway", "planner", "executor"]
ROLES: tuple[Role, ...] = ("gateway", "planner", "executor")
