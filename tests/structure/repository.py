# SPDX-License-Identifier: Apache-2.0
"""The repository's files as the structural tests see them: what git tracks, or would."""
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def files(*patterns):
    """Tracked and new, not ignored, files that match the patterns (git's), as paths from ROOT."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "--", *patterns],
        cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        names = listed.stdout.split("\n")
    else:  # a source archive without .git
        names = [str(p.relative_to(ROOT)) for pattern in patterns for p in ROOT.rglob(pattern)]
        names = [n for n in names if not n.startswith(("build/", ".git/"))]
    return sorted(n for n in set(names) if n and (ROOT / n).is_file())


def read(name):
    return (ROOT / name).read_text(encoding="utf8")
