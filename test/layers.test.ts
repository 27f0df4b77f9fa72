import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { suite } from './util/suite.ts'

/** What each part of the tree may import: folders of the tree, packages, or `node:` for Node's own modules. The longest name that fits a file counts. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  'protocol/': ['protocol/', 'msgpackr', 'yjs'],
  'server/core/': ['server/core/', 'protocol/', 'yjs', 'y-protocols', 'lib0'],
  'server/storage/': ['server/storage/', 'server/core/', 'protocol/', 'lmdb', 'node:'],
  'server/auth/': ['server/auth/', 'server/core/', 'protocol/', '@node-rs/argon2', 'jose', 'rate-limiter-flexible', 'node:'],
  'server/files/': ['server/files/', 'server/core/', 'protocol/', 'yauzl', 'saxes', 'node:'],
  'server/transports/': [
    'server/transports/',
    'server/core/',
    'protocol/',
    'ws',
    'engine.io',
    'hono',
    '@hono/node-server',
    'node:'
  ],
  'server/routes/': ['server/routes/', 'server/auth/', 'server/core/', 'server/transports/http.ts', 'protocol/'],
  'server/dashboard/': ['server/dashboard/', 'server/transports/http.ts', 'esbuild', 'hono', 'node:'],
  'server/dashboard/page/': ['server/dashboard/page/', 'client/index.ts', 'lit-html', 'uqr'],
  'server/annotations/': [
    'server/annotations/',
    'server/core/',
    'server/files/content-stream.ts',
    'server/files/identifiers.ts',
    'server/transports/http.ts',
    'protocol/',
    'node:'
  ],
  'server/metrics/': ['server/metrics/', 'server/core/', 'server/storage/flushes.ts', 'prom-client', 'node:'],
  'server/dialects/': [
    'server/dialects/',
    'server/core/',
    'server/auth/',
    'server/files/',
    'server/routes/feed-json.ts',
    'server/routes/feed-page.ts',
    'server/transports/body-time.ts',
    'server/transports/http.ts',
    'server/transports/json-bounds.ts',
    'protocol/',
    'hono',
    '@hono/zod-openapi',
    'node:'
  ],
  'server/': ['server/', 'protocol/', 'commander', 'nodemailer', 'pino', 'tsx', 'node:'],
  'client/': ['client/', 'protocol/', 'yjs'],
  'client/node.ts': ['client/'],
  'client/node/': ['client/', 'protocol/', 'ws', 'node:'],
  'client/mirror-folder/': ['client/', 'protocol/', 'node:'],
  'client/demo/': ['client/', 'protocol/', 'ws', 'yauzl', 'node:'],
  'bench/': [
    'bench/',
    'server/',
    'protocol/',
    'yjs',
    'y-protocols',
    'y-websocket',
    'lib0',
    'lmdb',
    'ws',
    'socket.io',
    'socket.io-client',
    '@hocuspocus',
    'node:'
  ]
}

const root = join(fileURLToPath(new URL('.', import.meta.url)), '..')

const sources = ['protocol', 'server', 'client', 'bench'].flatMap(folder =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map(file => join(folder, file))
    .filter(file => /\.(ts|js|mjs)$/.test(file) && !file.includes('node_modules'))
)

const layerOf = (file: string): string =>
  Object.keys(MAY_IMPORT)
    .filter(name => file.startsWith(name))
    .sort((left, right) => right.length - left.length)[0]!

const targetsOf = (file: string): string[] =>
  importsOf(readFileSync(join(root, file), 'utf8')).map(name =>
    name.startsWith('.') ? relative(root, join(root, dirname(file), name)) : name
  )

const importsOf = (text: string): string[] =>
  [
    ...text.matchAll(
      /(?:^|\n)\s*(?:import|export)[^'"\n]*?(?:\{[^}]*\}[^'"\n]*)?from\s+'([^']+)'|import\(\s*'([^']+)'|(?:^|\n)import '([^']+)'/g
    )
  ].map(([, named, dynamic, bare]) => (named ?? dynamic ?? bare)!)

const isAllowed = (allowed: readonly string[], target: string): boolean =>
  allowed.some(entry =>
    entry.endsWith('/') || entry.endsWith(':') || entry.endsWith('.ts')
      ? target.startsWith(entry)
      : target === entry || target.startsWith(`${entry}/`)
  )

const test = suite('layers')

test('every import points the one way', () => {
  const wrong = sources.flatMap(file =>
    targetsOf(file)
      .filter(target => !isAllowed(MAY_IMPORT[layerOf(file)]!, target))
      .map(target => `${file} imports ${target}`)
  )
  assert.equal(wrong, [])
})

test('nothing is allowed that no source imports', () => {
  const unused = Object.entries(MAY_IMPORT).flatMap(([layer, allowed]) => {
    const targets = sources.filter(file => layerOf(file) === layer).flatMap(targetsOf)
    return allowed.filter(entry => !targets.some(target => isAllowed([entry], target))).map(entry => `${layer} needs no ${entry}`)
  })
  assert.equal(unused, [])
})

test('imports are found in every form that the sources use', () => {
  const text = `import a from 'one'\nimport {\n  b,\n  c\n} from 'two'\nimport type { D } from 'three'\nexport * from 'four'\nconst e = await import('five')\nimport 'six'\n`
  assert.equal(importsOf(text), ['one', 'two', 'three', 'four', 'five', 'six'])
})

test.run()
