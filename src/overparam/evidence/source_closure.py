"""What code a function runs: its file and every file that this one imports, transitively.

Only files of the function's own package and of overparam count (libraries are known by their
versions). Compared are syntax trees without docstrings, so that a comment, a docstring or the
formatting may change. Imports are read from the source, nothing is executed; importing a name
from a package's ``__init__`` drags in what that ``__init__`` imports, so import from files.
Modules that are loaded under a computed name are not seen.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SELF = __name__.split(".", maxsplit=1)[0]


@dataclass(frozen=True)
class _Source:
    stamp: tuple[int, int]  # time of change in ns, size
    spec: Any  # the loaded module's, replaced when it is reloaded
    digest: str
    imports: dict[str, Path]  # module -> file, of the packages that count


_sources: dict[Path, _Source] = {}
_changes = 0


def digest(function: Callable[..., Any]) -> str:
    """Return the SHA-256 of the code that `function` runs.

    Parameters
    ----------
    function : callable
        A function or class at the top level of a file.

    Raises
    ------
    TypeError
        If it is not at the top level of a file.
    RuntimeError
        If a file changed after this process had imported it.
    """
    total = hashlib.sha256()
    for module, file in sorted(_closure(*_home(function)).items()):
        total.update(f"{module} {_source(module, file).digest}\n".encode())
    return total.hexdigest()


def files(function: Callable[..., Any]) -> set[Path]:
    """Return the files whose code decides what `function` does."""
    return set(_closure(*_home(function)).values())


def changes() -> int:
    """Return how often a file was found changed; worker processes of another count are stale."""
    return _changes


def name(function: Callable[..., Any]) -> str:
    """Return ``module:name`` of a function or class."""
    return f"{_home(function)[0]}:{function.__qualname__}"


def _home(function: Callable[..., Any]) -> tuple[str, Path]:
    """Return the module's name and the file in which `function` stands at the top level."""
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    file = getattr(module, "__file__", None)
    if file is None or getattr(module, getattr(function, "__qualname__", ""), None) is not function:
        raise TypeError(
            f"function must stand at the top level of a file; got {function!r}. "
            "Lambdas, methods and nested functions cannot be found again by another process."
        )
    path = Path(file).resolve()
    module_name = function.__module__
    if module_name == "__main__":  # the same file is the same code, run or imported
        spec = getattr(module, "__spec__", None)
        module_name = spec.name if spec is not None else path.stem
    return module_name, path


def _closure(name: str, path: Path) -> dict[str, Path]:
    """Return module name -> file for everything that the module `name` at `path` imports."""
    found = {name: path}
    waiting = [name]
    while waiting:
        module = waiting.pop()
        for target, file in _source(module, found[module]).imports.items():
            if target not in found:
                found[target] = file
                waiting.append(target)
    return found


def _resolve(name: str, imports: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, Path]:
    """Return module -> file for the (module, names taken from it) that module `name` imports."""
    packages = {name.split(".", maxsplit=1)[0], _SELF}
    found = {}
    for module, names in imports:
        if module.split(".", maxsplit=1)[0] not in packages:
            continue
        whole = not names  # "import module", or a name that is no module of its own
        for target in names:
            if (file := _find(f"{module}.{target}")) is not None:
                found[f"{module}.{target}"] = file
            else:
                whole = True
        if whole and (file := _find(module)) is not None:
            found[module] = file
    return found


def _find(name: str) -> Path | None:
    """Return the file of a module, without importing it or its parents."""
    top, *rest = name.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # a script's own module has no spec
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations is None:
        return Path(spec.origin).resolve() if spec.origin and not rest else None
    for location in spec.submodule_search_locations:
        base = Path(location, *rest)
        for file in (base.with_name(f"{base.name}.py"), base / "__init__.py"):
            if file.is_file() and (rest or file.name == "__init__.py"):
                return file.resolve()
    return None


def _source(name: str, path: Path) -> _Source:
    """Return the parsed file, parsed again only when it changed on disk."""
    global _changes
    state = os.stat(path)
    stamp = (state.st_mtime_ns, state.st_size)
    known = _sources.get(path)
    if known is not None and known.stamp == stamp:
        return known
    spec = getattr(sys.modules.get(name), "__spec__", None)
    tree = ast.parse(path.read_bytes(), filename=str(path))
    imports = _resolve(name, _imports(tree, name, is_package=path.name == "__init__.py"))
    fresh = _Source(stamp, spec, _tree_digest(tree), imports)
    if known is not None and known.digest != fresh.digest:
        if spec is not None and spec is known.spec:
            raise RuntimeError(
                f"{path} changed after it was imported: results of the old code would be stored "
                f"as those of the new. Restart, or importlib.reload({name})."
            )
        _changes += 1
    _sources[path] = fresh
    return fresh


def _imports(
    tree: ast.Module, name: str, *, is_package: bool
) -> Iterator[tuple[str, tuple[str, ...]]]:
    package = name if is_package else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ()
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - (node.level - 1)]
                base = ".".join([*above, base] if base else above)
            yield base, tuple(alias.name for alias in node.names)


def _tree_digest(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()
