import { execa } from 'execa';

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root; Debian's package makes an account for it. */
export async function serverAccount(): Promise<Account> {
  const uid = process.getuid?.() ?? 0;
  if (uid !== 0) return { uid, gid: process.getgid?.() ?? 0 };
  const { stdout } = await execa('getent', ['passwd', 'postgres']);
  const [, , user, group] = stdout.split(':');
  return { uid: Number(user), gid: Number(group) };
}
