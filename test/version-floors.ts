/** The least version of a part that security rests on, and what is wrong with older ones. */
export interface VersionFloor {
  /** As in the lock file, behind `node_modules/`: a package, or a package inside another one. */
  readonly part: string
  readonly floor: string
  readonly why: string
}

/** Parts that meet what comes from outside, or keep what must last. `version-floors.test.ts` holds package-lock.json to them. */
export const VERSION_FLOORS: readonly VersionFloor[] = [
  {
    part: 'ws',
    floor: '8.23.0',
    why: 'Pings of a client that does not read pile up as pongs. Before 8.21.0 tiny fragments fill the memory (CVE-2026-48779); before 8.17.1 many headers end the process (CVE-2024-37890).'
  },
  {
    part: 'engine.io/node_modules/ws',
    floor: '8.21.0',
    why: 'Tiny fragments (CVE-2026-48779). Lacks the bound on pongs: so it must not carry connections, and the hub must hand engine.io its own.'
  },
  { part: 'socket.io-adapter/node_modules/ws', floor: '8.21.0', why: 'Tiny fragments (CVE-2026-48779). Carries no connections.' },
  {
    part: 'socket.io',
    floor: '4.8.4',
    why: 'Errors that nobody catches end the process (CVE-2024-38355, before 4.6.2); later ones bring the parser and the engine below.'
  },
  {
    part: 'socket.io-parser',
    floor: '4.2.7',
    why: 'Attachments without bound (CVE-2026-33151), and packets without attachments that hold memory (CVE-2026-69185).'
  },
  {
    part: 'engine.io',
    floor: '6.6.10',
    why: 'Polling uses connections up (CVE-2026-59725, before 6.6.7); a session id of another protocol version.'
  },
  {
    part: 'msgpackr',
    floor: '2.1.3',
    why: 'Nested arrays without bound; the length in a head is believed (before 2.0.6); an endless loop (CVE-2023-52079).'
  },
  {
    part: 'lmdb/node_modules/msgpackr',
    floor: '1.10.1',
    why: 'An endless loop (CVE-2023-52079). The hub keeps its own bytes in LMDB, so that nothing is read with it.'
  },
  {
    part: 'yjs',
    floor: '13.6.33',
    why: 'The gate of documents was tried against this version: what it refuses is what this one cannot take.'
  },
  { part: 'lib0', floor: '0.2.120', why: 'Reads the updates for yjs, and is tried with it.' },
  { part: 'y-protocols', floor: '1.0.7', why: 'Presence was tried against this version.' },
  {
    part: 'lmdb',
    floor: '3.5.6',
    why: 'What it does when power fails, a flush fails or the disk is full was tried on this version.'
  },
  { part: '@node-rs/argon2', floor: '2.2.1', why: 'Its cost and its memory were measured with this version.' },
  { part: 'hono', floor: '4.13.19', why: 'The bounds of requests and their errors were tried with this version.' },
  { part: '@hono/node-server', floor: '2.1.8', why: 'Broken, slow and oversized requests were tried with this version.' },
  { part: 'zod', floor: '4.6.7', why: 'Bodies of the documented APIs, good and bad, were tried with this version.' },
  { part: '@hono/zod-openapi', floor: '1.6.3', why: 'It checks those bodies, and was tried with zod.' },
  { part: 'jose', floor: '6.2.17', why: 'Forged, expired and reused tokens were tried with this version.' },
  { part: 'saxes', floor: '6.0.0', why: 'Entities, depth and siblings without end were tried with this version.' },
  {
    part: 'nodemailer',
    floor: '7.0.11',
    why: 'Addresses nested without end stop the process (CVE-2025-14874, before 7.0.11); a quoted one is sent to another domain (CVE-2025-13033, before 7.0.7).'
  },
  {
    part: 'lit-html',
    floor: '3.3.3',
    why: 'The dashboard draws what others wrote with it: markup and odd values were tried with this version.'
  },
  { part: 'yauzl', floor: '3.4.0', why: 'Bombs, broken archives and names that leave the folder were tried with this version.' }
]
