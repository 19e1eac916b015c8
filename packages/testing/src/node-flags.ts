/**
 * Flags of Node for a process with many small waiting objects: a small young generation, and a collection
 * whenever the old generation has grown by 15 %. By default Node would keep the garbage of ten thousand
 * handshakes. It costs about 10 us per handshake.
 */
export const nodeFlags: readonly string[] = ['--max-semi-space-size=2', '--heap-growing-percent=15']
