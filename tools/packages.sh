#!/bin/sh
# Installs the Debian packages the product needs, with the word `lab` those of the lab too, with `bench` the rivals of
# the figures, when it may; else prints the one line to run.
set -eu
missing=""
command -v ssh >/dev/null 2>&1 || missing="$missing openssh-client"
[ -x /usr/sbin/sshd ] || missing="$missing openssh-server"
"${PYTHON:-python3.11}" -c 'import ensurepip, venv' >/dev/null 2>&1 || missing="$missing python3.11-venv"
command -v ip >/dev/null 2>&1 || missing="$missing iproute2"
command -v prometheus >/dev/null 2>&1 || missing="$missing prometheus"
# `has PROGRAM PACKAGES`
has() { program=$1; shift; PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null 2>&1 || missing="$missing $*"; }
if [ "${1:-}" = bench ]; then
  has prometheus-blackbox-exporter prometheus-blackbox-exporter
fi
if [ "${1:-}" = lab ]; then
  # As `relance lab up` asks for them: `holds PACKAGE FILES`.
  holds() { package=$1; shift; ls "$@" >/dev/null 2>&1 || missing="$missing $package"; }
  has samba samba
  holds samba-ad-provision /usr/share/samba/setup/*.ldif
  holds samba-dsdb-modules /usr/lib/*/samba/ldb/acl.so
  holds samba-vfs-modules /usr/lib/*/samba/vfs/acl_xattr.so
  has named bind9
  has chronyd chrony
  has Orthanc orthanc
  has nginx nginx-light
  has restic restic
  has nft nftables
  has openssl openssl
  has faketime faketime
  holds postgresql /usr/lib/postgresql/*/bin/postgres
fi
[ -z "$missing" ] && exit 0
line="apt-get update && apt-get install --yes --no-install-recommends$missing"
if [ "$(id -u)" != 0 ]; then
  echo "These Debian packages are needed:$missing. As root: $line" >&2
  exit 1
fi
# Their services must not start: the drill runs its own sshd, the lab and the tests services of their own.
policy=/usr/sbin/policy-rc.d
made=""
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod 755 "$policy"
  made=yes
fi
trap '[ -z "$made" ] || rm -f "$policy"' EXIT
echo "Installing Debian packages:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -qq --yes --no-install-recommends $missing >/dev/null
# shellcheck disable=SC2086
dpkg-query --show --showformat='  ${Package} ${Version}\n' $missing
