/** How psql takes a byte of a script (psqlscan.l). */
export function isSpace(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}

export function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57;
}

export function isWord(byte: number): boolean {
  return (byte >= 97 && byte <= 122) || (byte >= 65 && byte <= 90) || byte === 95 || byte >= 128 || isDigit(byte);
}

export function isWordPart(byte: number): boolean {
  // $
  return isWord(byte) || byte === 36;
}
