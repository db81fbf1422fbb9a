#!/bin/sh
# usage: install.sh <major>
set -eu
major=$1
export DEBIAN_FRONTEND=noninteractive

# Before the package makes one with a number of its own choice.
echo 'postgres:x:999:' >>/etc/group
echo 'postgres:x:999:999:PostgreSQL:/var/lib/postgresql:/bin/sh' >>/etc/passwd

apt-get update
apt-get install -y --no-install-recommends postgresql-common
# The package would make a cluster of its own.
sed -i -e 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
apt-get install -y --no-install-recommends "postgresql-$major"

# What initdb starts from. Password encryption: md5 is the default up to 13.
sed -i -e "s/^#\?listen_addresses = .*/listen_addresses = '*'/" \
  -e 's/^#\?password_encryption = .*/password_encryption = scram-sha-256/' \
  "/usr/share/postgresql/$major/postgresql.conf.sample"

# PostgreSQL goes without JIT where the library is missing, and the compiler behind it is half of the image.
rm -rf "/usr/lib/postgresql/$major/lib/bitcode" "/usr/lib/postgresql/$major/lib/llvmjit.so" /usr/lib/*/libLLVM* \
  /usr/lib/llvm-* /usr/lib/*/libz3.so* /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/* /usr/share/man /usr/share/locale
find /usr/share/doc -type f ! -name copyright -delete

rm -rf /var/lib/postgresql /var/run/postgresql
install -d -m 0755 -o postgres -g postgres /var/lib/postgresql
# Any user may bring a volume and run the server.
install -d -m 1777 -o postgres -g postgres /var/lib/postgresql/data /var/run/postgresql
