import type { HttpApp } from '../transports/http.ts'

/** `GET /healthz`: the process answers. `GET /readyz`: it takes work. Neither needs a token, and neither touches the disk. */
export function mountHealth(app: HttpApp, isReady: () => boolean): void {
  app.get('/healthz', context => context.json({ status: 'ok' }))
  app.get('/readyz', context => (isReady() ? context.json({ status: 'ready' }) : context.json({ status: 'closing' }, 503)))
}
