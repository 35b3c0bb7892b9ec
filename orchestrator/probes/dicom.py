"""Asks a DICOM node: does it greet, does its database answer a query, does a synthetic image come back as it was sent.

Never stores an image without the owner's agreement. Whoever asks takes care that a node is not asked much at once.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made when the module is loaded
    ModalityWorklistInformationFind,
    SecondaryCaptureImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    Verification,
)
from pynetdicom.transport import T_CONNECT, AddressInformation, AssociationSocket

from orchestrator.canonical import Json
from orchestrator.probes.base import Answer, Question, Seen, failed, now_us, passed, unasked
from orchestrator.probes.http import opened
from orchestrator.probes.line import Ended, Line, TlsLine, conversed, gibberish, shut

logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)  # it would write what nodes say of patients into our log

_BYTES_MAX = 1 << 22
_FOUND_MAX = 100
_SIDE = 16
_SUCCESS, _PENDING = 0x0000, (0xFF00, 0xFF01)
_NEEDED = {
    "echo": (Verification,),
    "worklist": (ModalityWorklistInformationFind,),
    "study": (StudyRootQueryRetrieveInformationModelFind,),
    "store": (
        SecondaryCaptureImageStorage,
        StudyRootQueryRetrieveInformationModelFind,
        StudyRootQueryRetrieveInformationModelGet,
    ),
}


class DicomProbe:
    """Parameters: `ask` (`echo`, `worklist`, `study`, `store`; the last writes), `called` and `calling` (AE titles,
    `ANY-SCP` and `RELANCE`), `days` (1: how far back a query looks), `modality` (of a worklist), `found_min` (0),
    `tls`, and with it `ca`, `name`, `certificate`, `unverified`, `days_min`.
    """

    def ask(self, question: Question) -> Answer:
        """PASS when the node does all that was asked. An echo alone proves nothing of its database."""
        if question.text("ask", "echo") == "store" and question.agreement is None:
            return unasked(f"An image writes; nobody signed an agreement for {question.where}, so none was sent.")
        return conversed(question, "The DICOM node", lambda line: _told(question, line), judge, bytes_max=_BYTES_MAX)


class _Ae(AE):
    """An application entity whose associations use a line we opened."""

    def __init__(self, title: str, line: Line | TlsLine) -> None:
        super().__init__(title)
        self._line = line

    def _create_socket(self, assoc: Association, address: AddressInformation, tls_args: object) -> AssociationSocket:
        return _Socket(assoc, address, self._line)


class _Socket(AssociationSocket):
    """The library's view of that line: connected already, bounded whatever the library waits for."""

    def __init__(self, assoc: Association, address: AddressInformation, line: Line | TlsLine) -> None:
        super().__init__(assoc, address=address)
        if self.socket is not None:
            self.socket.close()
        self.socket = line

    def connect(self, primitive: T_CONNECT) -> None:
        self._is_connected = True
        primitive.result = "Evt2"
        self.provider_queue.put(primitive)
        self._ready.set()


def _told(question: Question, line: Line) -> Seen:
    peer, _ = opened(line, question)
    got: list[str] = []
    with peer, _associated(question, peer, got) as association:
        peer.talk.enter("answer")
        asked = question.text("ask", "echo")
        if asked == "echo":
            return {"status": _status(question, peer, association.send_c_echo())}
        if asked == "store":
            return _stored(question, peer, association, got)
        return _found(question, peer, association, _query(question, asked), _NEEDED[asked][0])


@contextmanager
def _associated(question: Question, peer: Line | TlsLine, got: list[str]) -> Iterator[Association]:
    def keep(event: evt.Event) -> int:
        got.append(_digest(event.dataset))
        return _SUCCESS

    asked = question.text("ask", "echo")
    entity = _Ae(question.text("calling", "RELANCE"), peer)
    for syntax in _NEEDED[asked]:
        entity.add_requested_context(syntax, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = peer.talk.left_s()
    peer.talk.enter("accept an association")
    association = entity.associate(
        question.address,
        question.port,
        ae_title=question.text("called", "ANY-SCP"),
        ext_neg=[build_role(SecondaryCaptureImageStorage, scu_role=True, scp_role=True)] if asked == "store" else [],
        evt_handlers=[(evt.EVT_C_STORE, keep)],
    )
    try:
        if association.is_rejected:
            titles = f"{question.text('calling', 'RELANCE')} to {question.text('called', 'ANY-SCP')}"
            raise Ended(
                failed(
                    f"The DICOM node at {question.where} rejects the association of {titles}.", {"error": "rejected"}
                )
            )
        offered = {context.abstract_syntax for context in association.accepted_contexts}
        if association.rejected_contexts and not offered.issuperset(_NEEDED[asked]):
            raise Ended(failed(f"The DICOM node at {question.where} does not offer {asked}.", {"error": "refused"}))
        if not association.is_established:
            _over(question, peer)
        yield association
        association.release()
    finally:
        shut(peer)  # so that the library's threads end now
        association.abort()


def _over(question: Question, peer: Line | TlsLine) -> None:
    """The library got no answer: time is over, or the line was closed, or what came was no DICOM. Always raises."""
    peer.talk.left_s()
    if peer.talk.is_over:
        raise EOFError
    raise gibberish(question, "DICOM")


def _status(question: Question, peer: Line | TlsLine, reply: Dataset) -> int:
    if "Status" not in reply:
        _over(question, peer)
    return int(reply.Status)


def _query(question: Question, asked: str) -> Dataset:
    today = datetime.fromtimestamp(now_us() // 1_000_000, UTC).astimezone()
    since = today - timedelta(days=question.number("days", 1))
    dates, query = f"{since:%Y%m%d}-{today:%Y%m%d}", Dataset()
    if asked == "worklist":
        step = Dataset()
        step.ScheduledProcedureStepStartDate = dates
        step.Modality = question.text("modality")
        step.ScheduledProcedureStepID = ""
        query.ScheduledProcedureStepSequence = [step]
    else:
        query.QueryRetrieveLevel = "STUDY"
        query.StudyDate = dates
        query.StudyInstanceUID = ""
    return query


def _found(
    question: Question, peer: Line | TlsLine, association: Association, query: Dataset, model: str
) -> dict[str, Json]:
    """How the query ended, and how many it found (at most 100 are counted)."""
    found, status = 0, _PENDING[0]
    for reply, identifier in association.send_c_find(query, model):
        status = _status(question, peer, reply)
        found += status in _PENDING and identifier is not None
        if found >= _FOUND_MAX:
            status = _SUCCESS
            break
    return {"status": status, "found": found}


def _stored(question: Question, peer: Line | TlsLine, association: Association, got: list[str]) -> Seen:
    """Store a synthetic image, find its study, get it back."""
    image = _image(question.agreement.patient if question.agreement else "")
    seen: dict[str, Json] = {"stored": _status(question, peer, association.send_c_store(image))}
    if seen["stored"] != _SUCCESS:
        return seen
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", image.StudyInstanceUID
    peer.talk.enter("find the image")
    seen |= _found(question, peer, association, query, StudyRootQueryRetrieveInformationModelFind)
    peer.talk.enter("give the image back")
    for reply, _ in association.send_c_get(query, StudyRootQueryRetrieveInformationModelGet):
        seen["given"] = _status(question, peer, reply)
    return {**seen, "same": got == [_digest(image)]}


def _image(patient: str) -> Dataset:
    """A small grey ramp that says of itself what it is (Secondary Capture, DICOM PS3.3 A.8.1)."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
    image.PatientID, image.PatientName = patient, "TEST^RELANCE"
    image.Modality, image.ConversionType, image.StudyDescription = "OT", "SYN", "RELANCE synthetic test image"
    image.StudyDate = f"{datetime.fromtimestamp(now_us() // 1_000_000, UTC).astimezone():%Y%m%d}"
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.Rows = image.Columns = _SIDE
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit = 7
    image.PixelData = bytes(range(_SIDE * _SIDE))
    return image


def _digest(image: Dataset) -> str:
    return hashlib.sha256(f"{image.SOPInstanceUID} {image.PatientID}".encode() + bytes(image.PixelData)).hexdigest()


def judge(question: Question, seen: Seen) -> Answer:
    """`seen`: `status` (of an echo or the last reply of a query), `found`; for an image `stored`, `given`, `same`."""
    where, asked = f"The DICOM node at {question.where}", question.text("ask", "echo")
    facts: dict[str, Json] = dict(seen)
    stored, status = seen.get("stored", _SUCCESS), int(str(seen.get("status", _SUCCESS)))
    if stored != _SUCCESS:
        return failed(f"{where} does not store an image: status {int(str(stored)):#06x}.", facts)
    if status != _SUCCESS:
        words = "does not answer an echo" if asked == "echo" else "greets, but its database does not answer a query"
        return failed(f"{where} {words}: status {status:#06x}.", facts)
    if asked == "echo":
        return passed(f"{where} answers an echo, which says nothing of its database.", facts)
    found, wanted = int(str(seen["found"])), max(question.number("found_min"), int(asked == "store"))
    if found < wanted:
        what = "stored an image and does not find it" if asked == "store" else f"finds {found}, fewer than {wanted}"
        return failed(f"{where} {what}.", facts)
    if asked != "store":
        return passed(f"{where} answers a {asked} query with {found} found.", facts)
    if seen.get("given") != _SUCCESS or not seen.get("same"):
        return failed(f"{where} stored an image and does not give it back as it was.", facts)
    return passed(f"{where} stored a test image, found it and gave it back unchanged.", facts)
