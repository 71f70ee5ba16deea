"""For the API reference: show each option's default and text, which its dataclass field holds as metadata."""

from dataclasses import MISSING, fields
from importlib import import_module
from typing import Any

import griffe


class OptionTexts(griffe.Extension):
    """Give the fields made by `fadm.options.option` their text as docstring and their default as value."""

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        """Complete the fields of one class of options; the modules of options import nothing heavy."""
        if not cls.module.path.endswith(("options", "controls")) or not any(str(d.value) for d in cls.decorators):
            return
        for field in fields(getattr(import_module(cls.module.path), cls.name)):
            text = field.metadata.get("help")
            if text and field.name in cls.members:
                attribute = cls.members[field.name]
                attribute.docstring = griffe.Docstring(text, parent=attribute)
                attribute.value = repr(field.default if field.default is not MISSING else field.default_factory())
