"""The HTTP API of a live process: signed documents come in, views go out.

Never admits anything by itself (`admission` does) and knows nobody: whoever reaches the socket may read, and only
a signature changes anything.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator import __version__
from orchestrator.decision.admit import NAME_CHARS_MAX
from orchestrator.decision.events import EvidenceRead, Forecasted
from orchestrator.errors import Refused, RelanceError, UsageError
from orchestrator.interfaces import documents as d
from orchestrator.interfaces import views, views_people
from orchestrator.interfaces.admission import admit_order, admit_verdict, order_text
from orchestrator.interfaces.checking_in import script_for
from orchestrator.interfaces.live import Live
from orchestrator.interfaces.metrics import CONTENT_TYPE, Metrics
from orchestrator.interfaces.proposing import proposal
from orchestrator.problems import MEDIA_TYPE, STATUS, problem

BODY_BYTES_MAX = 1 << 22
HOSTS = ["localhost", "127.0.0.1", "[::1]"]

T = TypeVar("T")


class SignedOrder(BaseModel):
    """An order as it was signed: its exact text, or base64 of it; and an armoured SSH signature."""

    model_config = ConfigDict(extra="forbid")
    order: str
    person: Annotated[str, Field(max_length=63)]
    signature: Annotated[str, Field(max_length=1 << 14)]


class SignedVerdict(BaseModel):
    """A verdict as it was signed: its exact text, or base64 of it; and an armoured SSH signature."""

    model_config = ConfigDict(extra="forbid")
    verdict: str
    person: Annotated[str, Field(max_length=63)]
    signature: Annotated[str, Field(max_length=1 << 14)]


class Forecast(BaseModel):
    """A forecast to keep: p10, p50 and p90 by function, seconds from now."""

    model_config = ConfigDict(extra="forbid")
    runs: Annotated[int, Field(ge=1, le=1 << 20)]
    functions: Annotated[dict[str, Annotated[list[int], Field(max_length=3)]], Field(max_length=1000)]


class Read(BaseModel):
    """Who is about to be shown which evidence."""

    model_config = ConfigDict(extra="forbid")
    by: Annotated[str, Field(max_length=NAME_CHARS_MAX)]
    evidence: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=4000)]


class WantedCheckIn(BaseModel):
    """A host that is to check in, and how many hours its script is good for."""

    model_config = ConfigDict(extra="forbid")
    host: Annotated[str, Field(max_length=63)]
    hours: Annotated[int, Field(ge=1, le=168)]


def build(live: Live) -> FastAPI:
    """The application over a running engine."""
    app = FastAPI(
        title="Relance",
        version=__version__,
        description="Signed documents in, views out. Errors are problem documents with the command line's `error`.",
        docs_url=None,
        redoc_url=None,
        responses={status: {"content": {MEDIA_TYPE: {}}, "description": "error"} for status in (400, 503)},
    )
    app.add_middleware(Bounded)
    # A page in somebody's browser must not read this through a name it makes point here.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)
    _answer_errors(app)
    _take_documents(app, live)
    _show_views(app, live)
    _show_orders(app, live)
    _show_health(app, live)
    return app


def _take_documents(app: FastAPI, live: Live) -> None:
    refusals: dict[int | str, dict[str, Any]] = {
        STATUS[code]: {"content": {MEDIA_TYPE: {}}, "description": what}
        for code, what in ((3, "refused by a rule"), (4, "stored, waits for another person"), (5, "conflict"))
    }

    @app.post("/orders", responses=refusals)
    def post_order(body: SignedOrder) -> d.Taken:
        """Sign an order: a new one, or one that waits."""
        return admit_order(live, _bytes(body.order), body.person, body.signature)

    @app.post("/verdicts", responses=refusals)
    def post_verdict(body: SignedVerdict) -> d.Taken:
        """File a verdict."""
        return admit_verdict(live, _bytes(body.verdict), body.person, body.signature)

    @app.post("/forecasts", responses=refusals)
    def post_forecast(body: Forecast, request: Request) -> dict[str, int]:
        """Keep a forecast, to be compared with what happens; unsigned, so through the socket alone."""
        _through_socket(request, "Forecasts are kept")
        live.submit(Forecasted(body.runs, body.functions))
        return {"kept": len(body.functions)}

    @app.post("/reads", responses=refusals)
    def post_read(body: Read, request: Request) -> dict[str, int]:
        """Keep who is shown evidence; unsigned, so through the socket alone."""
        _through_socket(request, "Readers of evidence are noted")
        live.submit(EvidenceRead(body.by, body.evidence))
        return {"kept": len(body.evidence)}

    @app.post("/checkins", responses=refusals)
    def post_checkin(body: WantedCheckIn, request: Request) -> d.CheckIn:
        """A script to check in with; it holds a token, so through the socket alone."""
        _through_socket(request, "Check-in scripts are made")
        return script_for(live, body.host, body.hours)


def _through_socket(request: Request, what: str) -> None:
    if request.client is not None:
        raise Refused(f"{what} through the socket of the state folder alone.", rule="api.socket")


def _show_views(app: FastAPI, live: Live) -> None:
    @app.get("/status")
    def get_status() -> d.Status:
        """The whole restart at a glance."""
        return live.read(views.status)

    @app.get("/why/{host}")
    def get_why(host: str) -> d.Why:
        """Why a host is not further."""
        return live.read(lambda state, now_us: views_people.why(state, now_us, host))

    @app.get("/exposure/{host}")
    def get_exposure(host: str, distance: Annotated[int, Query(ge=1, le=5)] = 1) -> d.Exposure:
        """Whom a host may have infected."""
        return live.read(lambda state, now_us: views_people.exposed(state, host, distance))

    @app.get("/queue")
    def get_queue() -> d.Queue:
        """What the analysts verify next."""
        return live.read(views_people.queue)

    @app.get("/evidence")
    def get_evidence() -> d.EvidenceKept:
        """The latest inspection of every host, by digest."""
        kept = live.read(views_people.evidence_kept)
        return {**kept, "stored_bytes": live.blobs.stored_bytes()}

    @app.get("/custody/{host}")
    def get_custody(host: str) -> d.Custody:
        """What was preserved of a host, and who holds it."""
        return live.read(lambda state, now_us: views_people.custody(state, host))

    @app.get("/tasks")
    def get_tasks(site: str = "") -> list[d.Task]:
        """What people must do, everywhere or at one site."""
        return live.read(lambda state, now_us: views_people.tasks(state, now_us, site))


def _show_orders(app: FastAPI, live: Live) -> None:
    @app.get("/orders")
    def get_orders() -> list[d.Order]:
        """Orders that wait for a signature."""
        return live.read(views_people.waiting_orders)

    @app.get("/orders/kinds")
    def get_kinds() -> list[d.Kind]:
        """Who may order what."""
        return views_people.kinds()

    @app.get("/orders/{order}")
    def get_order(order: str) -> d.OrderText:
        """The exact text of an order that waits."""
        return order_text(live, order)

    @app.get("/head")
    def get_head() -> d.Head:
        """What a signer sees of the journal."""
        head = live.head()
        return {"incident": live.incident, "size": head.size, "root": head.root.hex()}


def _show_health(app: FastAPI, live: Live) -> None:
    metrics = Metrics(live)

    @app.get("/content-digest")
    def get_content_digest() -> dict[str, str]:
        """The digest of the content in force."""
        return {"digest": live.read(lambda state, now_us: state.estate.content.digest)}

    @app.get("/content/{digest}")
    def get_content(digest: str) -> d.Proposal:
        """What content kept beside the journal would change."""
        return proposal(live, digest)[1]

    @app.get("/healthz")
    def get_health() -> dict[str, int | str]:
        """Answers while the engine turns; 503 with its reason once it stopped."""
        records = live.read(lambda state, now_us: state.seq)
        return {"status": "ok", "records": records, "version": __version__, "backup": live.backup}

    @app.get("/metrics", response_class=Response)
    def get_metrics() -> Response:
        """Prometheus' text format."""
        return Response(metrics.text(), media_type=CONTENT_TYPE)


def _bytes(text: str) -> bytes:
    """The signed bytes: a document begins with a brace, which base64 never does."""
    if text.startswith("{"):
        return text.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UsageError("The document is neither JSON text nor base64 of it.", rule="api.document") from error


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(RelanceError)
    def refused(request: Request, error: RelanceError) -> JSONResponse:
        return respond(error)

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return respond(UsageError(f"The request cannot be used: {where}: {first['msg']}.", rule="api.request"))

    @app.exception_handler(HTTPException)
    def unknown(request: Request, error: HTTPException) -> JSONResponse:
        told = UsageError(f"{request.method} {request.url.path}: {error.detail}.", rule="api.route")
        return respond(told, error.status_code)


def respond(error: RelanceError, status: int = 0) -> JSONResponse:
    """An error as a response; a `status` of the web's own wins over the exit code's."""
    body = problem(error) | ({"status": status} if status else {})
    return JSONResponse(body, status or STATUS.get(error.exit_code, 500), media_type=MEDIA_TYPE)


class Bounded:
    """Refuses a body before it fills the memory, whatever its headers say."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, counting."""
        await self._app(scope, _counted(receive) if scope["type"] == "http" else receive, send)


def _counted(receive: Callable[[], Awaitable[Message]]) -> Callable[[], Awaitable[Message]]:
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > BODY_BYTES_MAX:
            raise HTTPException(413, f"a request has at most {BODY_BYTES_MAX} bytes")
        return message

    return counted
