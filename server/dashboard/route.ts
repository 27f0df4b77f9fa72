import type { Context } from 'hono'
import type { HttpApp, HttpEnv } from '../transports/http.ts'
import { bundlePage, type PageFile, type PageFileName } from './bundle.ts'

/** Nothing runs or loads but the page's own files, whatever text somebody put into a library; and no other page frames it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types lit-html'
].join('; ')

/** `GET /`: the dashboard. Its files are made when the first of them is asked for. */
export function mountDashboard(app: HttpApp): void {
  let page: Promise<ReadonlyMap<PageFileName, PageFile>> | undefined
  const file =
    (name: PageFileName) =>
    async (context: Context<HttpEnv>): Promise<Response> => {
      page ??= bundlePage().catch((error: unknown) => {
        page = undefined
        throw error
      })
      const { type, bytes, etag } = (await page).get(name)!
      const headers = { 'content-type': type, 'content-security-policy': POLICY, 'cache-control': 'no-cache', etag }
      const known = (context.req.header('if-none-match') ?? '').split(',').map(tag => tag.trim().replace(/^W\//, ''))
      if (known.includes(etag)) return new Response(null, { status: 304, headers })
      return new Response(bytes, { headers })
    }
  app.get('/', file('index.html'))
  app.get('/dashboard/main.js', file('main.js'))
  app.get('/dashboard/style.css', file('style.css'))
}
