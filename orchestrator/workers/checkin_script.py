"""The script that a host runs to check in: the look an inspection takes, posted to the drop-box; for sh and PowerShell.

Never holds anything but one claim and its one-use token, and never sends the token. On Linux what was seen lies in a
file until it was sent, in memory where the system has such a folder; on Windows in memory.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from orchestrator.workers import windows
from orchestrator.workers.checkin import Claim
from orchestrator.workers.script import Sweep

ERRORS_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class Errand:
    """What one script is to do: look as `sweep` says, then post to `url` under this claim."""

    claim: Claim
    token: str
    url: str
    sweep: Sweep


_SH = r"""#!/bin/sh
# Check-in of {host}. Run it as root on that host, once. It sends what it sees to {url}
# and changes nothing; do not copy it to another host.
claim={claim}
token={token}
url={url}
mark={mark}
[ "$(id -u)" = 0 ] || {{ echo "Run this as root." >&2; exit 77; }}
umask 077
folder=/dev/shm; [ -d "$folder" ] && [ -w "$folder" ] || folder=${{TMPDIR:-/tmp}}
body=$(mktemp "$folder/relance.XXXXXX") && errors=$(mktemp "$folder/relance.XXXXXX") || exit 73
trap 'rm -f "$body" "$errors"' EXIT
trap 'exit 130' INT TERM HUP
{{
printf '%s serial\n' "$mark"
cat /sys/class/dmi/id/product_serial 2>/dev/null || echo
(
{look}
) </dev/null 2>"$errors" || {{ cat "$errors" >&2; exit 70; }}
printf '%s errors\n' "$mark"
head -c {errors_max} "$errors"
}} >"$body" || exit 70
digest=$(sha256sum <"$body" | cut -c 1-64)
proof=$(printf '%s%s' "$token" "$digest" | sha256sum | cut -c 1-64)
if command -v curl >/dev/null; then
    curl -sS --noproxy '*' --fail-with-body --connect-timeout 20 --max-time 900 -H 'Expect:' \
        -H "X-Claim: $claim" -H "X-Proof: $proof" -H 'Content-Type: application/octet-stream' \
        --data-binary "@$body" "$url"
else
    wget -q --no-proxy --tries=1 --content-on-error -O - --header "X-Claim: $claim" --header "X-Proof: $proof" \
        --header 'Content-Type: application/octet-stream' --post-file "$body" "$url"
fi
"""
_PS1 = r"""
Send-Text ($Asked.token + " serial`n" + (Get-CimInstance -ClassName Win32_BIOS).SerialNumber + "`n")
Send-Text ($Asked.token + " errors`n" + ($Unread.said -join "`n") + "`n")
$Body = $Out.ToArray()
$Hasher = New-Object System.Security.Cryptography.SHA256CryptoServiceProvider
function Get-Digest([byte[]]$Bytes) {
    [BitConverter]::ToString($Hasher.ComputeHash($Bytes)).Replace('-', '').ToLowerInvariant()
}
$Proof = Get-Digest $Text.GetBytes($Asked.post.token + (Get-Digest $Body))
$Post = [System.Net.WebRequest]::Create($Asked.post.url)
$Post.Method = 'POST'
$Post.Proxy = $null
$Post.Timeout = 900000
$Post.ContentType = 'application/octet-stream'
$Post.Headers.Add('X-Claim', $Asked.post.claim)
$Post.Headers.Add('X-Proof', $Proof)
try {
    $Stream = $Post.GetRequestStream()
    $Stream.Write($Body, 0, $Body.Length)
    $Stream.Dispose()
    $Answer = $Post.GetResponse()
} catch {
    $Failed = $_.Exception.GetBaseException()
    if ($Failed -isnot [System.Net.WebException] -or $null -eq $Failed.Response) { throw }
    $Answer = $Failed.Response
}
(New-Object System.IO.StreamReader $Answer.GetResponseStream()).ReadToEnd()
if ([int]$Answer.StatusCode -ne 200) { exit 1 }
"""


def sh(errand: Errand) -> str:
    """For a Linux host: POSIX sh with curl or wget."""
    claim = errand.claim
    return _SH.format(
        host=claim.standing.host,
        claim=shlex.quote(claim.text()),
        token=errand.token,
        url=shlex.quote(errand.url),
        mark=shlex.quote(claim.mark),
        look=errand.sweep.script(claim.mark),
        errors_max=ERRORS_BYTES_MAX,
    )


def ps1(errand: Errand) -> str:
    """For a Windows host: Windows PowerShell 5.1."""
    claim = errand.claim
    post = {"claim": claim.text(), "token": errand.token, "url": errand.url}
    script = windows.script_of(windows.on_windows(errand.sweep), claim.mark, post=post).decode("ascii")
    return (
        f"# Check-in of {claim.standing.host}. Run it as an administrator on that host, once:\n"
        "#     powershell.exe -NoProfile -ExecutionPolicy Bypass -File THIS-FILE\n"
        f"# It sends what it sees to {errand.url} and changes nothing; do not copy it to another host.\n"
        + script
        + _PS1
    )
