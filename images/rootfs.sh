#!/bin/sh
# usage: rootfs.sh <folder> <program>...
#
# Makes a root file system of these programs alone: each with every library it loads, its package's licence, and its
# package's entry in var/lib/dpkg/status.d, where vulnerability scanners look; certificates, name services, the user.
set -eu
root=$1
shift
here=$(dirname "$0")

mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64" "$root/usr/local/bin" "$root/usr/lib/ssl" \
  "$root/usr/lib/locale" "$root/etc/ssl/certs" "$root/var/lib/dpkg/status.d" \
  "$root/scratch" "$root/run" "$root/proc" "$root/sys" "$root/dev"
install -d -m 1777 "$root/tmp"
for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$root/$folder"; done

for program in "$@"; do
  case $(head -c 4 "$program") in
    *ELF) ;;
    *) echo "rootfs.sh: $program is no binary: it would need an interpreter" >&2; exit 1 ;;
  esac
done
# age is static, and ldd fails for such.
libraries=$(sh "$here/libraries.sh" $(for program in "$@"; do if ldd "$program" >/dev/null 2>&1; then echo "$program"; fi; done))

for file in "$@" $libraries; do
  # Folders without links, so that a file lands where the loader looks, whichever way its name was found.
  place=$(readlink -f "$(dirname "$file")")
  mkdir -p "$root$place"
  cp -L "$file" "$root$place/"
done

for package in base-files ca-certificates $(sh "$here/packages.sh" "$@" $libraries); do
  dpkg-query -s "$package" >"$root/var/lib/dpkg/status.d/$package"
  if [ -e "/usr/share/doc/$package/copyright" ]; then
    mkdir -p "$root/usr/share/doc/$package"
    cp -L "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/"
  fi
done

cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
ln -s /etc/ssl/certs "$root/usr/lib/ssl/certs"
ln -s /etc/ssl/certs/ca-certificates.crt "$root/usr/lib/ssl/cert.pem"
cp -r /usr/lib/locale/C.utf8 "$root/usr/lib/locale/"
cp /etc/os-release "$root/etc/os-release"
cat >"$root/etc/nsswitch.conf" <<'END'
passwd: files
group: files
hosts: files dns
services: files
END
cat >"$root/etc/passwd" <<'END'
root:x:0:0:root:/root:/sbin/nologin
tidemark:x:65532:65532:tidemark:/tmp:/sbin/nologin
END
cat >"$root/etc/group" <<'END'
root:x:0:
tidemark:x:65532:
END
