import type { Server } from 'node:http'

/** Beginnings of paths, in lower case, and what their requests are counted as. The first that fits counts. */
const ROUTES: readonly (readonly [beginning: string, route: string])[] = [
  ['/api/v1/changes', 'changes'],
  ['/api/v1/books/', 'annotations'],
  ['/api/v1/pair', 'sign-in'],
  ['/api/v1/sign-in', 'sign-in'],
  ['/api/v1/auth/', 'sign-in'],
  ['/api/v1/sync/', 'rest'],
  ['/api/sync/', 'rest'],
  ['/api/v1/openapi.json', 'rest'],
  ['/api/synchronization', 'epub'],
  ['/api/markings', 'epub'],
  ['/api/library', 'feed'],
  ['/api/syncapp/', 'changelist'],
  ['/kosync/', 'kosync'],
  ['/users/', 'kosync'],
  ['/syncs/', 'kosync'],
  ['/healthcheck', 'kosync'],
  ['//', 'kosync'],
  ['/sync/', 'timelimit'],
  ['/parent/', 'timelimit'],
  ['/child/', 'timelimit'],
  ['/auth/', 'timelimit'],
  ['/time', 'timelimit'],
  ['/socket.io', 'timelimit'],
  ['/live', 'live'],
  ['/yjs/', 'live'],
  ['/hocuspocus', 'live'],
  ['/healthz', 'health'],
  ['/readyz', 'health'],
  ['/dashboard/', 'dashboard']
]

/** One of a few, whatever is asked for: each label of a metric is a series that is kept for good. */
export function routeOf(url: string): string {
  const path = url.split('?', 1)[0]!.toLowerCase()
  if (path === '/') return 'dashboard'
  return ROUTES.find(([beginning]) => path.startsWith(beginning))?.[1] ?? 'other'
}

/** How many requests of a route ended with a status; `none` for those that ended unanswered. */
export interface RequestCount {
  readonly route: string
  readonly status: string
  count: number
}

/** Counts a server's requests from now on, each as it ends. @returns the counts, which grow */
export function countRequests(server: Server): Iterable<RequestCount> {
  const counts = new Map<string, RequestCount>()
  server.on('request', ({ url = '' }, response) => {
    response.once('close', () => {
      const route = routeOf(url)
      const status = response.headersSent ? String(response.statusCode) : 'none'
      const key = `${route} ${status}`
      const known = counts.get(key)
      if (known === undefined) counts.set(key, { route, status, count: 1 })
      else known.count += 1
    })
  })
  return { [Symbol.iterator]: () => counts.values() }
}
