import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build, stop, type BuildOptions } from 'esbuild'

/** One file of the page, as it goes out. */
export interface PageFile {
  readonly type: string
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Changes with the bytes. @see RFC 9110, section 8.8.3 */
  readonly etag: string
}

export type PageFileName = 'index.html' | 'main.js' | 'style.css'

/** Of this process. */
let buildsUnderWay = 0

const sourceOf = (name: string): string => fileURLToPath(new URL(`./page/${name}`, import.meta.url))

/** Makes the page's files out of their sources: its script becomes one, with the SDK and all that it imports. */
export async function bundlePage(): Promise<ReadonlyMap<PageFileName, PageFile>> {
  const options = { bundle: true, minify: true, platform: 'browser', format: 'esm', target: 'es2022', write: false } as const
  const [code, html, css] = await Promise.all([
    built({ ...options, legalComments: 'none', logLevel: 'silent', entryPoints: [sourceOf('main.ts')] }),
    readFile(sourceOf('index.html')),
    readFile(sourceOf('style.css'))
  ])
  return new Map<PageFileName, PageFile>([
    ['index.html', fileOf('text/html', html)],
    ['main.js', fileOf('text/javascript', code)],
    ['style.css', fileOf('text/css', css)]
  ])
}

/** Builds, and ends esbuild's process behind the last build: one that it is stopped under would never resolve. */
async function built(options: BuildOptions & { readonly write: false }): Promise<Uint8Array> {
  buildsUnderWay += 1
  try {
    const { outputFiles } = await build(options)
    return outputFiles[0]!.contents
  } finally {
    buildsUnderWay -= 1
    if (buildsUnderWay === 0) await stop()
  }
}

function fileOf(type: string, given: Uint8Array): PageFile {
  const bytes = Uint8Array.from(given)
  const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
  return { type: `${type}; charset=utf-8`, bytes, etag }
}
