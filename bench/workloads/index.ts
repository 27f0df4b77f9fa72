import type { Workload } from '../workload.ts'
import { CARRIERS } from './carriers.ts'
import { catchUpWorkload } from './catch-up.ts'
import { compactionWorkload, documentWorkload } from './document.ts'
import { durablePushWorkload } from './durable-push.ts'
import { downloadWorkload, uploadWorkload } from './files.ts'
import { householdPullWorkload, householdPushWorkload } from './households.ts'
import { idleMemoryWorkload } from './idle-memory.ts'
import { latencyWorkload } from './latency.ts'
import { libraryFeedWorkload } from './library-feed.ts'
import { annotationWorkload, positionWorkload, SHAPES } from './live.ts'

export const WORKLOADS: readonly Workload[] = [
  ...SHAPES.map(positionWorkload),
  ...SHAPES.map(annotationWorkload),
  ...CARRIERS,
  latencyWorkload,
  catchUpWorkload,
  documentWorkload('note'),
  documentWorkload('highlights'),
  compactionWorkload,
  durablePushWorkload(1),
  durablePushWorkload(100),
  uploadWorkload,
  downloadWorkload,
  householdPushWorkload,
  householdPullWorkload,
  libraryFeedWorkload,
  idleMemoryWorkload
]
