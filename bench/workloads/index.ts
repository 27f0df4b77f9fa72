import type { Workload } from '../workload.ts'
import { annotationWorkload, positionWorkload, SHAPES } from './live.ts'

export const WORKLOADS: readonly Workload[] = [...SHAPES.map(positionWorkload), ...SHAPES.map(annotationWorkload)]
