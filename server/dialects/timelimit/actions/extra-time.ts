import { bool, opt, str } from '../../../../protocol/index.ts'
import type { Acting } from '../acting.ts'
import type { FamilyChange } from '../family-change.ts'
import { id, whole } from '../forms.ts'
import type { Task } from '../records.ts'
import { mustHaveRoom, refuse } from '../refuse.ts'
import { row, type Rows } from '../row.ts'

const MAX_TASKS = 1_024
/** Extra time for whatever day it is used on. */
const ANY_DAY = -1

const day = opt(whole(ANY_DAY))

/** Extra time, and the tasks that children get it for. */
export const PARENT_EXTRA_TIME: Rows = {
  SET_CATEGORY_EXTRA_TIME: row({
    fields: { categoryId: id, newExtraTime: whole(0), day },
    versions: ['base'],
    tell: 2,
    text: 'so much extra time, for one day of the epoch or, with -1 and without `day`, for any',
    effect: (family, { categoryId, newExtraTime, day = ANY_DAY }) =>
      family.setBase(categoryId, { extraTime: newExtraTime, extraTimeDay: day })
  }),
  INCREMENT_CATEGORY_EXTRATIME: row({
    fields: { categoryId: id, addedExtraTime: whole(0), day },
    versions: ['base'],
    tell: 2,
    text: 'so much more, in the category around it too. What was there for another day is gone',
    effect(family, { categoryId, addedExtraTime, day = ANY_DAY }) {
      const { parentCategoryId } = family.category(categoryId).base
      const around = family.get('category', parentCategoryId) === undefined ? [] : [parentCategoryId]
      for (const id of [categoryId, ...around]) {
        const { extraTime, extraTimeDay } = family.category(id).base
        const before = extraTimeDay === day || extraTimeDay === ANY_DAY ? extraTime : 0
        family.setBase(id, { extraTime: sum(before, addedExtraTime), extraTimeDay: day })
      }
    }
  }),
  UPDATE_CHILD_TASK: row({
    fields: { isNew: bool, taskId: id, categoryId: id, taskTitle: str(256, 1), extraTimeDuration: whole(1) },
    versions: ['tasks'],
    tell: 1,
    text: 'a new task, or another title, time or category of one that is there',
    effect(family, { isNew, taskId, categoryId, taskTitle: t, extraTimeDuration: d }) {
      family.category(categoryId)
      if (!isNew) {
        const { task, categoryId: before } = family.task(taskId)
        family.renewPart(before, 'tasks')
        family.put('task', taskId, { categoryId, task: { ...task, t, d } })
      } else {
        if (family.get('task', taskId) !== undefined) refuse('already-exists', `there is a task ${taskId} already`)
        mustHaveRoom(family.all('task').length, MAX_TASKS, 'tasks')
        family.put('task', taskId, { categoryId, task: { i: taskId, t, d, p: false, l: 0 } })
      }
      family.renewPart(categoryId, 'tasks')
    }
  }),
  DELETE_CHILD_TASK: row({
    fields: { taskId: id },
    versions: ['tasks'],
    tell: 1,
    text: 'the task is gone',
    effect(family, { taskId }) {
      const { categoryId } = family.task(taskId)
      family.remove('task', taskId)
      family.renewPart(categoryId, 'tasks')
    }
  }),
  REVIEW_CHILD_TASK: row({
    fields: { taskId: id, ok: bool, time: whole(0), day },
    versions: ['base', 'tasks'],
    tell: 1,
    text: 'what the child says that it has done is no more to be looked at; with `ok` its category gets the extra time, and the others are told at once (important). That of another day than `day` is gone',
    effect: reviewTask
  })
}

/** What children say by their device. */
export const DEVICE_TASKS: Rows = {
  MARK_TASK_PENDING: row({
    fields: { taskId: id },
    versions: ['tasks'],
    tell: 1,
    text: 'the child that uses the device says that it has done a task of its own',
    effect(family, { taskId }, { device }) {
      const { categoryId, task } = family.task(taskId)
      if (family.category(categoryId).base.childId !== family.device(device).device.currentUserId)
        refuse('forbidden', 'the task is of another child than the one who uses the device')
      setTask(family, categoryId, { ...task, p: true })
    }
  })
}

/** What is left of some extra time, or comes to it. */
export const sum = (before: number, added: number): number => Math.max(0, Math.min(before + added, Number.MAX_SAFE_INTEGER))

function setTask(family: FamilyChange, categoryId: string, task: Task): void {
  family.put('task', task.i, { categoryId, task })
  family.renewPart(categoryId, 'tasks')
}

interface Review {
  readonly taskId: string
  readonly ok: boolean
  readonly time: number
  readonly day?: number
}

function reviewTask(family: FamilyChange, { taskId, ok, time, day }: Review, by: Acting): void {
  const { categoryId, task } = family.task(taskId)
  if (!task.p) refuse('not-found', 'nobody says that the task is done')
  setTask(family, categoryId, { ...task, p: false, ...(ok && { l: time }) })
  if (!ok) return
  by.tell(2)
  const { extraTime, extraTimeDay } = family.category(categoryId).base
  const isOfAnotherDay = day !== undefined && extraTimeDay !== ANY_DAY && extraTimeDay !== day
  const before = isOfAnotherDay ? 0 : extraTime
  family.setBase(categoryId, { extraTime: sum(before, task.d), extraTimeDay: before > 0 ? extraTimeDay : ANY_DAY })
}
