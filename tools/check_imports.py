"""Check what the other tools do not: files are imported, not rooms; file names say one idea.

1. Package code imports from files (``from overparam.evidence.cells import run``), never from rooms
   (``from overparam.evidence import cells`` is a file; ``... import run`` is not): the cells' keys
   follow imports, and a room would drag in all of its files.
2. A room's ``__init__`` is a table of contents: imports and ``__all__``, no other code.
3. No file has the name of a function that is public in its room, where the two would be confused.
4. No file is called utils, helpers, common, base or misc.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc"}
PACKAGE = "overparam"


def problems(package: Path) -> list[str]:
    """Return what is wrong in the package folder, a line each."""
    found = []
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text(), filename=str(path))
        is_room = path.name == "__init__.py"
        top = path.parent == package and is_room
        place = path.relative_to(package.parent)
        if not is_room:
            found += [f"{place}:{line}: {text}" for line, text in room_imports(tree, path, package)]
            if path.stem.strip("_") in FORBIDDEN_NAMES:
                found.append(f"{place}: a file is named after its idea, not {path.stem!r}")
        elif not top:  # the package's own __init__ holds the lazy table
            found += [f"{place}:{line}: {text}" for line, text in code_in_room(tree)]
            found += [f"{place}: {text}" for text in shadowed(tree, path.parent)]
    return found


def room_imports(tree: ast.Module, path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, text) for each import from a room instead of a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if is_room(alias.name, package):
                    yield node.lineno, f"imports the room {alias.name}; import its file"
        elif isinstance(node, ast.ImportFrom):
            module = absolute(node, path, package)
            if not is_room(module, package):
                continue
            for alias in node.names:
                if not is_file(f"{module}.{alias.name}", package):
                    yield (
                        node.lineno,
                        f"imports {alias.name} from the room {module}; import its file",
                    )


def absolute(node: ast.ImportFrom, path: Path, package: Path) -> str:
    """Return the absolute name of the module from which a file imports."""
    if not node.level:
        return node.module or ""
    above = path.relative_to(package.parent).parent.parts
    above = above[: len(above) - (node.level - 1)]
    return ".".join([*above, node.module] if node.module else above)


def is_room(module: str, package: Path) -> bool:
    """Whether `module` is a folder of the package with an ``__init__``."""
    first, *rest = module.split(".")
    return first == PACKAGE and package.joinpath(*rest, "__init__.py").is_file()


def is_file(module: str, package: Path) -> bool:
    """Whether `module` is a file of the package."""
    first, *rest = module.split(".")
    return first == PACKAGE and bool(rest) and package.joinpath(*rest).with_suffix(".py").is_file()


def code_in_room(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (line, text) for whatever is no docstring, import or ``__all__``."""
    for node in tree.body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        contents = isinstance(node, ast.Assign) and [
            target.id for target in node.targets if isinstance(target, ast.Name)
        ] == ["__all__"]
        if not (isinstance(node, (ast.Import, ast.ImportFrom)) or docstring or contents):
            yield node.lineno, "a room's __init__ is a table of contents, without code"


def shadowed(tree: ast.Module, room: Path) -> Iterator[str]:
    """Yield a text for each file that has the name of something public from another place."""
    for node in tree.body:
        if not isinstance(node, ast.ImportFrom):
            continue
        source = (node.module or "").rpartition(".")[2]
        for alias in node.names:
            name = alias.asname or alias.name
            is_the_file_itself = source == room.name and alias.name == name
            if (room / f"{name}.py").is_file() and not is_the_file_itself:
                yield f"{name} is public here and also the name of the file {name}.py"


def main(arguments: list[str]) -> int:
    """Print what is wrong; 1 if anything is."""
    root = Path(__file__).resolve().parents[1]
    found = problems(Path(arguments[0]) if arguments else root / "src" / PACKAGE)
    for line in found:
        print(line, file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
