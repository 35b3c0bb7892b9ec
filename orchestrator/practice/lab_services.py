"""The services of the lab: what each host's disk holds when it is well, what runs there, and what its data come to.

Never starts anything by itself and never mends a disk. `lay` makes what is slow to make and kept in the cache, `fill`
writes this lab's own data on top of it; both run on the host (`/srv`). Real software from Debian but for two: the
records (`lab_fhir`) and the interface engine's routing (`lab_hl7`).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.client import HTTPResponse
from pathlib import Path
from string import Template

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from orchestrator.practice.lab_net import Network
from orchestrator.practice.lab_place import Place

REALM = "LAB.HOSPITAL.EXAMPLE"
IMAGES, PATIENTS = 24, 60
TEST = "TEST-"  # so begins the patient whom agreements name; what is written of it counts in no comparison
PROGRAMS = {
    "samba": "samba", "named": "bind9", "chronyd": "chrony",
    "Orthanc": "orthanc", "nginx": "nginx-light", "restic": "restic", "nft": "nftables", "ip": "iproute2",
    "openssl": "openssl", "sshd": "openssh-server",
}  # fmt: skip
FILES = {  # what has no program on the path; a file server's samba comes without the rest
    "postgresql": "/usr/lib/postgresql/*/bin/postgres", "samba-ad-provision": "/usr/share/samba/setup/*.ldif",
    "samba-dsdb-modules": "/usr/lib/*/samba/ldb/acl.so", "samba-vfs-modules": "/usr/lib/*/samba/vfs/acl_xattr.so",
}  # fmt: skip
_POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
_AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
_SIDE = 8042  # Orthanc's own side door, which it opens after that for images
_DISKS, _SCHEMA = "disks", "lis.sql"
_ROWS = """select md5(string_agg(o.number || control_id || o.patient || o.code || r.value || o.placed_at, '|'
  order by o.number, control_id)) from orders o join results r using (number) where patient not like 'TEST-%'
"""
_ORDERS = """insert into orders (control_id, placer, patient, code, placed_at) select 'c' || n, 'p' || n, 'P' || n % 60,
 'GLU', now() - n * interval '2 minutes' from generate_series(1, 400) n
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a service may know of the lab: what it is made from, where the others are, authority and secrets."""

    network: Network
    content: Path
    authority: Path
    addresses: Mapping[str, str]
    secrets: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Role:
    """What is special about a host that plays a service. `digest` says in one word what its data come to."""

    ports: tuple[int, ...] = ()
    commands: Callable[[Place, Ground], Sequence[Sequence[str]]] = lambda place, ground: ()
    lay: Callable[[Place, Ground], None] | None = None
    fill: Callable[[Place, Ground], None] = lambda place, ground: None
    digest: Callable[[Place, Ground], str] = lambda place, ground: digest_of(place.disk, "etc/hostname")


def digest_of(disk: Path, *patterns: str) -> str:
    """One digest over the files of a disk that match."""
    found = sha256()
    for path in sorted(path for pattern in patterns for path in disk.glob(pattern) if path.is_file()):
        found.update(f"{path.relative_to(disk)}\0".encode() + sha256(path.read_bytes()).digest())
    return found.hexdigest()


def write(place: Place, name: str, text: str | bytes, mode: int = 0o644) -> None:
    """Puts a file on a host's disk."""
    path = place.disk / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)


def packages() -> dict[str, str]:
    """The Debian packages the lab runs, each with its version: `unknown` where Debian did not install it."""
    names = [*PROGRAMS.values(), *FILES]
    asked = ["dpkg-query", "--show", "--showformat=${Package} ${Version}\n", *names]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False).stdout
    except FileNotFoundError:
        told = ""
    versions = dict(line.split(" ", 1) for line in told.splitlines())
    return {name: versions.get(name) or "unknown" for name in sorted(names)}


def fill(role: str, place: Place, ground: Ground, *, bare: bool = False) -> None:
    """What every host has, the configuration of its service, and, unless `bare`, its data."""
    write(place, "etc/hostname", f"{place.host}\n")
    write(place, "etc/passwd", "root:x:0:0::/root:/bin/sh\n")
    write(place, "etc/group", "root:x:0:\n")
    write(place, "etc/os-release", "PRETTY_NAME=lab\n")
    write(place, "run/empty", "")
    given = ground.content / _DISKS / role
    known = {"host": place.host.upper(), "realm": REALM, "address": ground.addresses.get(role, ""), **ground.addresses}
    for path in (path for path in given.rglob("*") if path.is_file()):
        write(place, str(path.relative_to(given)), Template(path.read_text()).safe_substitute(known))
    if not bare:
        ROLES[role].fill(place, ground)


def _lay_directory(place: Place, ground: Ground) -> None:
    (place.disk / "etc" / "smb.conf").unlink()  # the provision writes one; ours stands in its place afterwards
    place.run(
        "samba-tool", "domain", "provision", f"--realm={REALM}", "--domain=LAB", "--server-role=dc",
        "--dns-backend=NONE", f"--adminpass={ground.secrets['directory']}", f"--host-name={place.host}",
        f"--host-ip={ground.addresses['directory']}", "--targetdir=/srv", limit_s=300,
    )  # fmt: skip
    for folder in ("lock", "ncalrpc", "cache"):
        (place.disk / folder).mkdir(exist_ok=True)


def _fill_dns(place: Place, ground: Ground) -> None:
    hosts = "".join(f"{name} A {address}\n" for name, address in ground.addresses.items())
    servers = "".join(
        f"{name} SRV 0 100 {port} directory\n"
        for name, port in (("_ldap._tcp", 389), ("_kerberos._tcp", 88), ("_gc._tcp", 3268))
    )
    head = f"$TTL 60\n@ SOA dns hostmaster {datetime.now(UTC):%y%m%d%H}01 3600 600 86400 60\n@ NS dns\n"
    write(place, "etc/zone", head + hosts + servers)


def _lay_lis(place: Place, ground: Ground) -> None:
    (place.disk / "data").mkdir(mode=0o700)
    (place.disk / "run").mkdir(mode=0o777, exist_ok=True)
    place.run("chown", "postgres:postgres", "/srv/data", "/srv/run")
    place.run(*_postgres("initdb"), "-D", "/srv/data", "-A", "trust", "--no-sync", "-U", "postgres")
    write(place, "data/pg_hba.conf", "local all all trust\nhostssl lis reader,engine 10.77.0.0/16 scram-sha-256\n")
    settings = "listen_addresses='*'\nunix_socket_directories='/srv/run'\nmax_connections=20\nshared_buffers=16MB\n"
    certificate = "ssl=on\nssl_cert_file='/srv/data/service.pem'\nssl_key_file='/srv/data/service.key'\n"
    write(place, "data/postgresql.auto.conf", settings + certificate)
    certify(place, ground, "lis", "data", "postgres")
    place.start(_run_lis(place, ground))
    place.wait(ground.addresses["lis"], (5432,))
    schema = Template((ground.content / _SCHEMA).read_text())
    psql(place, schema.substitute(ground.secrets), "postgres")
    place.run(*_postgres("pg_ctl"), "-D", "/srv/data", "-m", "fast", "stop")
    place.stop()


def _fill_lis(place: Place, ground: Ground) -> None:
    certify(place, ground, "lis", "data", "postgres")
    place.run("chown", "postgres:postgres", "/srv/run")
    place.run("chmod", "-R", "go-rwx", "/srv/data")
    single(place, _ORDERS)


def single(place: Place, statement: str) -> str:
    """What a statement comes to while the database is down."""
    line = statement.replace("\n", " ") + "\n"
    return place.run(*_postgres("postgres"), "--single", "-D", "/srv/data", "lis", text=line)


def _postgres(program: str) -> tuple[str, ...]:
    return (*_AS_POSTGRES, str(_POSTGRES[0] / program) if _POSTGRES else program)


def _run_lis(place: Place, ground: Ground) -> Sequence[Sequence[str]]:
    return [(*_postgres("postgres"), "-D", "/srv/data")]


def psql(place: Place, text: str, database: str = "lis") -> str:
    """What the laboratory's database answers its owner, on the host itself; it is given time to start up."""
    reach = ("-h", "/srv/run", "-U", "postgres", "-d", database)
    wait = 'for n in $(seq 150); do "$0" -q "$@" && exit 0; sleep 0.2; done; exit 1'
    place.run(*_AS_POSTGRES, "sh", "-c", wait, _postgres("pg_isready")[-1], *reach)
    return place.run(*_postgres("psql"), *reach, "-Atq", "-v", "ON_ERROR_STOP=1", text=text)


def _digest_lis(place: Place, ground: Ground) -> str:
    return psql(place, _ROWS).strip()


def _fill_hl7(place: Place, ground: Ground) -> None:
    (place.disk / "queue").mkdir(exist_ok=True)
    route = {"lis": ground.addresses["lis"], "password": ground.secrets["engine"]}
    write(place, "etc/route.json", json.dumps({**route, "records": f"{ground.addresses['records']}:8080"}), 0o600)


def _fill_pacs(place: Place, ground: Ground) -> None:
    (place.disk / "images").mkdir(exist_ok=True)
    today = datetime.now(UTC).astimezone()
    for number in range(5):
        write(place, f"worklist/{number}.wl", _planned(number, today))
    place.start(_run_pacs(place, ground))
    place.wait("127.0.0.1", (_SIDE,))
    for number in range(IMAGES):
        _orthanc(place, ground, "POST", "/instances", _image(number, today - timedelta(hours=number)))
    place.stop()


def _run_pacs(place: Place, ground: Ground) -> Sequence[Sequence[str]]:
    return [("Orthanc", "/srv/etc/orthanc.json")]


def _orthanc(place: Place, ground: Ground, method: str, path: str, body: bytes = b"") -> bytes:
    """What Orthanc's own side door answers, asked on the host itself."""
    with ground.network.dial(place.host, "127.0.0.1", _SIDE, 10) as peer:
        head = f"{method} {path} HTTP/1.1\r\nHost: lab\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        peer.sendall(head.encode() + body)
        response = HTTPResponse(peer, method=method)
        response.begin()
        answer = response.read()
    if response.status != 200:
        raise OSError(f"Orthanc answers {response.status} to {method} {path}")
    return answer


def _digest_pacs(place: Place, ground: Ground) -> str:
    """Over the digests of all images but those of the test patient."""
    place.wait("127.0.0.1", (_SIDE,))
    found = []
    for instance in json.loads(_orthanc(place, ground, "GET", "/instances")):
        tags = json.loads(_orthanc(place, ground, "GET", f"/instances/{instance}/simplified-tags"))
        if not tags["PatientID"].startswith(TEST):
            found.append(_orthanc(place, ground, "GET", f"/instances/{instance}/attachments/dicom/md5").decode())
    return f"{len(found)} images {sha256(' '.join(sorted(found)).encode()).hexdigest()}"


def _image(number: int, at: datetime) -> bytes:
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
    image.PatientID, image.PatientName = f"P{number % PATIENTS}", f"LAB^PATIENT {number}"
    image.StudyDate, image.Modality, image.ConversionType = f"{at:%Y%m%d}", "OT", "SYN"
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.Rows = image.Columns = 64
    image.BitsAllocated, image.BitsStored, image.HighBit = 8, 8, 7
    image.PixelData = bytes((n * number) % 256 for n in range(64 * 64))
    return _file(image)


def _planned(number: int, at: datetime) -> bytes:
    """One entry of the worklist."""
    step = Dataset()
    step.Modality, step.ScheduledStationAETitle = "CT", "CT1"
    step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime = f"{at:%Y%m%d}", "120000"
    step.ScheduledProcedureStepID = f"S{number}"
    entry = Dataset()
    entry.SOPClassUID, entry.SOPInstanceUID = "1.2.276.0.7230010.3.1.0.1", generate_uid()
    entry.PatientID, entry.PatientName, entry.AccessionNumber = f"P{number}", f"LAB^PATIENT {number}", f"A{number}"
    entry.StudyInstanceUID, entry.ScheduledProcedureStepSequence = generate_uid(), [step]
    return _file(entry)


def _file(content: Dataset) -> bytes:
    from io import BytesIO

    content.file_meta = FileMetaDataset()
    content.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    target = BytesIO()
    dcmwrite(target, content, enforce_file_format=True)
    return target.getvalue()


def _fill_records(place: Place, ground: Ground) -> None:
    for number in range(PATIENTS):
        patient = {"resourceType": "Patient", "id": f"p{number}", "identifier": [{"value": f"P{number}"}]}
        write(place, f"resources/Patient/p{number}.json", json.dumps(patient))


def _fill_portal(place: Place, ground: Ground) -> None:
    certify(place, ground, "portal")


def _fill_post(place: Place, ground: Ground) -> None:
    write(place, "desktop/ready", "ready\n")


def certify(
    place: Place, ground: Ground, service: str, folder: str = "etc", owner: str = "root", under: tuple[str, ...] = ()
) -> None:
    """A certificate for the service, signed by the site's authority; `under` runs the signing another way."""
    key, request, target = "/srv/run/key", "/srv/run/request", f"/srv/{folder}/service.pem"
    authority = ("-CA", str(ground.authority / "ca.pem"), "-CAkey", str(ground.authority / "ca.key"))
    write(place, "run/empty", "")
    place.run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
              "-subj", f"/CN={service}", "-keyout", key, "-out", request)  # fmt: skip
    names = f"subjectAltName=IP:{ground.addresses[service]},DNS:{service}.lab.hospital.example\n"
    write(place, "run/names", names)
    extensions = ("-extfile", "/srv/run/names", "-days", "30")
    place.run(*under, "openssl", "x509", "-req", "-in", request, *authority, *extensions, "-out", target)
    (place.disk / "run" / "key").rename(place.disk / folder / "service.key")
    place.run("chown", owner, target, f"/srv/{folder}/service.key")


def _python(module: str, service: str) -> Callable[[Place, Ground], Sequence[Sequence[str]]]:
    return lambda place, ground: [(sys.executable, "-m", f"orchestrator.practice.{module}", ground.addresses[service])]


def _files(*patterns: str) -> Callable[[Place, Ground], str]:
    return lambda place, ground: digest_of(place.disk, *patterns)


def _runs(*words: str) -> Callable[[Place, Ground], Sequence[Sequence[str]]]:
    return lambda place, ground: [words]


ROLES: dict[str, Role] = {
    "directory": Role(
        (389, 88),
        _runs("samba", "-F", "--no-process-group", "-M", "single", "-s", "/srv/etc/smb.conf"),
        lay=_lay_directory,
        digest=_files("private/secrets.keytab", "private/dns_update_list"),
    ),
    "dns": Role((53,), _runs("named", "-f", "-c", "/srv/etc/named.conf"), fill=_fill_dns, digest=_files("etc/zone")),
    "ntp": Role((), _runs("chronyd", "-x", "-d", "-u", "root", "-f", "/srv/etc/chrony.conf")),
    "backup-server": Role(),
    "lis": Role((5432,), _run_lis, lay=_lay_lis, fill=_fill_lis, digest=_digest_lis),
    "hl7-engine": Role((2575,), _python("lab_hl7", "hl7-engine"), fill=_fill_hl7, digest=_files("etc/route.json")),
    "pacs": Role((11112,), _run_pacs, fill=_fill_pacs, digest=_digest_pacs),
    "records": Role(
        (8080,), _python("lab_fhir", "records"), fill=_fill_records, digest=_files("resources/Patient/*.json")
    ),
    "portal": Role(
        (443,),
        _runs("nginx", "-p", "/srv", "-c", "/srv/etc/nginx.conf", "-e", "stderr"),
        fill=_fill_portal,
        digest=_files("etc/service.pem", "etc/nginx.conf"),
    ),
    "post": Role(fill=_fill_post, digest=_files("desktop/ready")),
}
