"""Says in words what a check asks, what its PASS means, and what it does not prove.

Never asks anything and never judges: every word is about the question, none about a host.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.checks.model import Check

LEVELS = {
    "L0": "a port accepts",
    "L1": "the protocol greets",
    "L2": "a read that means something",
    "L3": "a transaction went through",
}
SPEAKS = "that a port which accepts has a working service behind it"
_ANOTHER = "that more than this page works"
_ROWS = "that users can log in, or that what is written today is right"


@dataclass(frozen=True, slots=True)
class Meaning:
    """`question` completes "asks ..."; `proof` completes "PASS means that ..."; `gap` "it does not prove ..."."""

    question: str
    proof: str
    gap: str


# By probe and by what it is told to `ask`.
_MEANS: dict[tuple[str, str], Meaning] = {
    ("tcp", ""): Meaning("for a TCP connection", "the port accepts", SPEAKS),
    ("ssh", ""): Meaning(
        "for an SSH greeting, or for the output of a command",
        "the machine holds the host key its restore reported, and the command, if any, says what it should",
        "that the services on the machine work",
    ),
    ("http", ""): Meaning("for one page", "the page came with the status and the words wanted", _ANOTHER),
    ("dns", ""): Meaning(
        "the name server itself for one record",
        "it gives the answer wanted, or any if none is named",
        "that clients use this server, or that other records are right",
    ),
    ("ntp", ""): Meaning(
        "for the time",
        "the server is synchronised and near this machine's clock",
        "that other machines follow it, nor that this machine's own clock is right",
    ),
    ("hl7", "ack"): Meaning(
        "the interface to accept a query marked as a test",
        "it acknowledged our message by its number",
        "that an order would be stored: an interface may acknowledge and store nothing",
    ),
    ("hl7", "order"): Meaning(
        "for a test order of the agreed patient, and waits for its result",
        "the order gave its own result, of that patient",
        "that real orders are routed alike",
    ),
    ("postgresql", ""): Meaning("the database for rows, read-only", "it let us log in and gave enough rows", _ROWS),
    ("mssql", ""): Meaning(
        "the database for rows, in a read-only login",
        "it let us log in and gave enough rows",
        f"{_ROWS}; this probe was never tried on a real server",
    ),
    ("dicom", "echo"): Meaning("for an echo", "the node greets", "that its database lives: it echoes with a dead one"),
    ("dicom", "worklist"): Meaning(
        "for the worklist of these days",
        "its database answered, with so many entries",
        "that the scanners can reach it, or that the entries are the right patients'",
    ),
    ("dicom", "study"): Meaning(
        "for the studies of these days",
        "its database answered, with so many studies",
        "that the images of these studies can be opened",
    ),
    ("dicom", "store"): Meaning(
        "to store a synthetic image, finds it and gets it back",
        "the image came back unchanged",
        "that older images can be opened",
    ),
    ("ldap", "root"): Meaning(
        "the directory what it says of itself",
        "it says what is wanted, and its clock is near ours",
        "that anybody can log in: a controller may answer LDAP and not Kerberos",
    ),
    ("ldap", "bind"): Meaning(
        "to log in and read one entry", "it let us, and the entry was there", "that its entries are those of today"
    ),
    ("kerberos", ""): Meaning(
        "for a ticket, without a password",
        "the server knows the account and its clock is near ours",
        "that a ticket would be granted",
    ),
    ("smb", ""): Meaning("to agree on SMB 2 or 3", "it agrees", "that any share or file can be read"),
    ("prometheus", ""): Meaning(
        "for the value of a query",
        "every series is within the bounds, and there are enough",
        "anything the query does not measure",
    ),
    ("fhir", "capability"): Meaning(
        "what the server can do", "it is a FHIR server of that version", "that it holds any record"
    ),
    ("fhir", "search"): Meaning(
        "for a search", "it found so many resources", "that the resources are complete or those of today"
    ),
    ("fhir", "create"): Meaning(
        "to make, read and remove a tagged resource", "all three went through", "that other resources are whole"
    ),
}


def meaning(check: Check) -> Meaning:
    """What this check asks and proves, with what its parameters add."""
    means = _MEANS[check.probe, check.asks]
    if "age_max_s" in check.params:
        fresh = f"the newest row is at most {check.params['age_max_s']} s old"
        return Meaning(means.question, f"{means.proof}, and {fresh}", means.gap)
    if check.params.get("unverified"):
        return Meaning(means.question, means.proof, f"{means.gap}; nor who answered: no certificate is looked at")
    return means


def parameters(check: Check) -> str:
    """The parameters as text; a secret is only ever a reference."""
    return ", ".join(f"{name} {value}" for name, value in check.params.items() if name != "ask")
