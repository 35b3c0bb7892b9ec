"""The form of a host key wherever one is told: its kind and its base64, and nothing behind them.

Never says whose key it is.
"""

from __future__ import annotations

import re

FORM = re.compile(r"(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+")


def bare(told: object) -> str:
    """The key without the comment ssh-keygen writes behind it; empty for what is no key."""
    key = " ".join(told.split()[:2]) if isinstance(told, str) else ""
    return key if FORM.fullmatch(key) else ""
