"""The group /voice: commands from several files under one name."""

from __future__ import annotations

from discord import app_commands

from cogs.options import everywhere


def voice_group(*parts: app_commands.Group) -> app_commands.Group:
    """Return the group with the commands of all ``parts``, which show up only in it."""
    group = everywhere(app_commands.Group(name="voice", description="Save, design, share and delete voices"))
    for part in parts:
        for command in part.commands:
            group.add_command(command)
    return group
