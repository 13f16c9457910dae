"""The package in, its measures out: lines, modules, functions, rooms, and which room imports which.

A room is a module or package at the top level of `feedproxy/`. `python -m tests.shape` prints all of it.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import feedproxy

ROOT = Path(feedproxy.__file__).parent
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Shape:
    """Lines of each module by its path, lines of each function by its name, and the pairs of rooms with an import."""

    modules: dict[str, int]
    functions: dict[str, int]
    arrows: set[tuple[str, str]]

    @property
    def rooms(self) -> set[str]:
        return {room(ROOT / name) for name in self.modules} - {"__init__"}

    def ninetieth(self) -> float:
        """Return how many lines nine of ten functions do not exceed."""
        return quantiles(self.functions.values(), n=10)[-1]


def room(path: Path) -> str:
    """Return the module or package of the first level that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted name of every module a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert 0 == node.level, "imports are absolute"
            yield str(node.module)


def measure(root: Path = ROOT) -> Shape:
    """Return the shape of the package in the folder `root`."""
    modules, functions, arrows = dict[str, int](), dict[str, int](), set[tuple[str, str]]()
    for path in sorted(root.rglob("*.py")):
        name = str(path.relative_to(root))
        text = path.read_text()
        modules[name] = len(text.splitlines())
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, _FUNCTIONS):
                functions[f"{name}:{node.lineno} {node.name}"] = int(node.end_lineno or 0) - node.lineno + 1
        here = name.split("/", maxsplit=1)[0].removesuffix(".py")
        for imported in imports(path):
            package, _, rest = imported.partition(".")
            if package == root.name and rest and rest.split(".")[0] != here:
                arrows.add((here, rest.split(".")[0]))
    return Shape(modules, functions, arrows)


def main() -> None:
    shape = measure()
    largest, longest = (max(sizes, key=lambda name: sizes[name]) for sizes in (shape.modules, shape.functions))
    print(f"lines      {sum(shape.modules.values()):6,}")
    print(f"modules    {len(shape.modules):6}   the largest {largest} with {shape.modules[largest]} lines")
    print(f"functions  {len(shape.functions):6}   median {median(shape.functions.values()):.0f} lines, nine of ten")
    print(f"                    have at most {shape.ninetieth():.0f}; the longest {longest} {shape.functions[longest]}")
    print(f"rooms      {len(shape.rooms):6}   {', '.join(sorted(shape.rooms))}")
    print(f"arrows     {len(shape.arrows):6}")
    for here in sorted({here for here, _ in shape.arrows}):
        print(f"  {here} → {', '.join(sorted(there for place, there in shape.arrows if place == here))}")


if __name__ == "__main__":
    main()
