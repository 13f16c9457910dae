"""Imports a module and all that it needs, in less time than an import statement."""

import gc
import sys
from importlib import import_module
from types import ModuleType


def import_without_gc(name: str) -> ModuleType:
    """Import the module `name` while Python does not look for garbage.

    What an import makes stays. To look through it takes a seventh of the time, and gives each forked worker a copy.
    """
    if name in sys.modules or not gc.isenabled():
        return import_module(name)
    gc.disable()
    try:
        module = import_module(name)
        gc.freeze()
    finally:
        gc.enable()
    return module
