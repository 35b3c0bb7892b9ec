"""Says from which image workstations are made in invented time: the one seen last, else one of their class's own.

Never makes anything, and knows no image of a class that is not judged by lots.
"""

from __future__ import annotations

from hashlib import sha256

from orchestrator.decision.state import State


def images(state: State) -> dict[str, dict[str, str]]:
    """What a restore reports of the image, for each class that is judged by lots: `image_digest`, SHA-256 in hex."""
    classes = [klass.id for klass in state.estate.content.classes if klass.lots]
    found = {klass: sha256(klass.encode()).hexdigest() for klass in classes}
    for host in sorted(state.made) if classes else ():
        klass = state.estate.group(host).klass.id
        if klass in found:
            found[klass] = state.image[host]
    return {klass: {"image_digest": digest} for klass, digest in found.items()}
