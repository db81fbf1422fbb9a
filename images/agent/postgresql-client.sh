#!/bin/sh
# usage: postgresql-client.sh <major> <majors wanted>
#
# Lays the client tools of one PostgreSQL major into /opt/postgresql/<major>/bin and every library they load, the dynamic
# loader too, into /opt/postgresql/<major>/lib. Each tool is told to use those alone, so tools built for different releases
# of Debian, with different C libraries, run side by side in one image.
set -eu
export DEBIAN_FRONTEND=noninteractive
major=$1
home=/opt/postgresql/$major
here=$(dirname "$0")

mkdir -p /opt/postgresql
case " $2 " in
  *" $major "*) ;;
  *) exit 0 ;;
esac

apt-get update
# A base that was kept may be older than an update of its libraries.
apt-get upgrade -y
apt-get install -y --no-install-recommends patchelf "postgresql-client-$major"

mkdir -p "$home/bin" "$home/lib" "$home/share/doc" "$home/share/packages"
for tool in pg_amcheck pg_basebackup pg_combinebackup pg_dump pg_dumpall pg_isready pg_receivewal pg_restore pg_verifybackup psql; do
  # pg_amcheck came with 14.
  if [ "$tool" = pg_amcheck ] && [ "$major" -lt 14 ]; then continue; fi
  # Increments came with PostgreSQL 17.
  if [ "$tool" = pg_combinebackup ] && [ "$major" -lt 17 ]; then continue; fi
  cp "/usr/lib/postgresql/$major/bin/$tool" "$home/bin/"
done

# Loaded by name at run time, so that no program lists them: name services (within libc itself since glibc 2.34) and the
# unwinder that a cancelled thread needs.
libc=$(dirname "$(sh "$here/libraries.sh" "$home/bin/psql" | grep '/libc\.so\.6$')")
unlisted=$(for name in libnss_dns.so.2 libnss_files.so.2 libresolv.so.2 libgcc_s.so.1; do find "$libc/" -maxdepth 1 -name "$name"; done)
libraries="$unlisted $(sh "$here/libraries.sh" "$home"/bin/* $unlisted)"
cp -L $libraries "$home/lib/"

loader=$(basename "$(patchelf --print-interpreter "$home/bin/psql")")
for tool in "$home"/bin/*; do
  # DT_RPATH, not DT_RUNPATH: it holds for the libraries of the libraries too, and for those loaded by name.
  patchelf --set-interpreter "$home/lib/$loader" --force-rpath --set-rpath "$home/lib" "$tool"
  "$tool" --version
done

for package in "postgresql-client-$major" $(sh "$here/packages.sh" $libraries); do
  # Not in var/lib/dpkg/status.d, where a scanner would take them for packages of the image's own release of Debian.
  dpkg-query -s "$package" >"$home/share/packages/$package"
  if [ -e "/usr/share/doc/$package/copyright" ]; then
    mkdir -p "$home/share/doc/$package"
    cp -L "/usr/share/doc/$package/copyright" "$home/share/doc/$package/"
  fi
done
