import * as assert from 'uvu/assert'
import { newId } from '../../../../util/timelimit-client.ts'
import type { ActionCase } from './action-case.ts'

const DAY = 20_000
const MINUTE_MS = 60_000

const rules = ({ categoryId }: { categoryId: string }): string[] => [`rules:${categoryId}`]
const tasks = ({ categoryId }: { categoryId: string }): string[] => [`tasks:${categoryId}`]
const item = (categoryId: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  categoryId,
  tta: MINUTE_MS,
  etts: 0,
  ...more
})

/** Rules, tasks and used times. */
export const LIMIT_CASES: readonly ActionCase[] = [
  {
    type: 'CREATE_TIMELIMIT_RULE',
    by: 'parent',
    prepare: async scene => {
      const ids = { ruleId: newId(), categoryId: await scene.addCategory() }
      return {
        ...ids,
        rule: { ...ids, time: 1_000, days: 5, extraTime: true, start: 60, end: 120, dur: 3, pause: 4, perDay: true }
      }
    },
    body: ({ rule }) => ({ rule }),
    effect: (after, { ruleId, categoryId }) =>
      assert.equal(after.rules(categoryId), [
        { id: ruleId, extraTime: true, dayMask: 5, maxTime: 1_000, start: 60, end: 120, session: 3, pause: 4, perDay: true }
      ]),
    versions: rules,
    notify: 2,
    refused: ({ rule }) => ({
      'an unknown category': { rule: { ...rule, categoryId: newId() } },
      'no id': { rule: { ...rule, ruleId: 'a' } },
      'a member that is none in the rule': { rule: { ...rule, more: 1 } },
      'no time': { rule: { ruleId: rule.ruleId, categoryId: rule.categoryId, days: 5, extraTime: true } },
      'a time below 0': { rule: { ...rule, time: -1 } },
      'an end before the start': { rule: { ...rule, start: 10, end: 9 } },
      'an end after the day': { rule: { ...rule, end: 1_440 } },
      'a pause below 0': { rule: { ...rule, pause: -1 } },
      'an end of the rule at 0': { rule: { ...rule, e: 0 } }
    })
  },
  {
    type: 'UPDATE_TIMELIMIT_RULE',
    by: 'parent',
    prepare: async scene => {
      const categoryId = await scene.addCategory()
      return { categoryId, ruleId: await scene.addRule(categoryId) }
    },
    body: ({ ruleId }) => ({
      ruleId,
      time: 2_000,
      days: 6,
      extraTime: true,
      start: 1,
      end: 2,
      dur: 3,
      pause: 4,
      perDay: true,
      e: 1_800_000_000_000
    }),
    optional: ['start', 'end', 'dur', 'pause', 'perDay', 'e'],
    effect: (after, { ruleId, categoryId }) =>
      assert.equal(after.rules(categoryId), [
        {
          id: ruleId,
          extraTime: true,
          dayMask: 6,
          maxTime: 2_000,
          start: 1,
          end: 2,
          session: 3,
          pause: 4,
          perDay: true,
          e: 1_800_000_000_000
        }
      ]),
    versions: rules,
    notify: 2,
    refused: () => ({
      'an unknown rule': { ruleId: newId() },
      'days that are none': { days: 128 },
      'an end before the start': { start: 3, end: 2 },
      'an end after the day': { end: 1_440 },
      'an end of the rule at 0': { e: 0 }
    })
  },
  {
    type: 'DELETE_TIMELIMIT_RULE',
    by: 'parent',
    prepare: async scene => {
      const categoryId = await scene.addCategory()
      return { categoryId, ruleId: await scene.addRule(categoryId) }
    },
    body: ({ ruleId }) => ({ ruleId }),
    effect: (after, { categoryId }) => assert.equal(after.rules(categoryId), []),
    versions: rules,
    notify: 2,
    refused: () => ({ 'an unknown rule': { ruleId: newId() } })
  },
  {
    type: 'UPDATE_CHILD_TASK',
    when: 'of a new task',
    by: 'parent',
    prepare: async scene => ({ categoryId: await scene.addCategory(), taskId: newId() }),
    body: ids => ({ ...ids, isNew: true, taskTitle: 'tidy up', extraTimeDuration: MINUTE_MS }),
    effect: (after, { categoryId, taskId }) =>
      assert.equal(after.tasks(categoryId), [{ i: taskId, t: 'tidy up', d: MINUTE_MS, p: false, l: 0 }]),
    versions: tasks,
    notify: 1,
    refused: () => ({
      'an unknown category': { categoryId: newId() },
      'an unknown task': { isNew: false },
      'no time': { extraTimeDuration: 0 }
    })
  },
  {
    type: 'UPDATE_CHILD_TASK',
    when: 'of a task that moves',
    by: 'parent',
    prepare: async scene => {
      const [from, categoryId] = [await scene.addCategory(), await scene.addCategory()]
      return { from, categoryId, taskId: await scene.addTask(from) }
    },
    body: ({ categoryId, taskId }) => ({ categoryId, taskId, isNew: false, taskTitle: 'cook', extraTimeDuration: 1_000 }),
    effect: (after, { from, categoryId, taskId }) => {
      assert.equal([after.tasks(from), after.tasks(categoryId)], [[], [{ i: taskId, t: 'cook', d: 1_000, p: false, l: 0 }]])
    },
    versions: ({ from, categoryId }) => [`tasks:${from}`, `tasks:${categoryId}`],
    notify: 1,
    refused: () => ({ 'as a new one': { isNew: true } })
  },
  {
    type: 'DELETE_CHILD_TASK',
    by: 'parent',
    prepare: async scene => {
      const categoryId = await scene.addCategory()
      return { categoryId, taskId: await scene.addTask(categoryId) }
    },
    body: ({ taskId }) => ({ taskId }),
    effect: (after, { categoryId }) => assert.equal(after.tasks(categoryId), []),
    versions: tasks,
    notify: 1,
    refused: () => ({ 'an unknown task': { taskId: newId() } })
  },
  {
    type: 'MARK_TASK_PENDING',
    by: 'appLogic',
    sender: 'target',
    prepare: async scene => {
      const categoryId = await scene.addCategory()
      await scene.act({ type: 'SET_DEVICE_USER', deviceId: scene.target.id, userId: scene.child.id })
      const strange = await scene.addTask(await scene.addCategory((await scene.addUser('child')).id))
      return { categoryId, strange, taskId: await scene.addTask(categoryId) }
    },
    body: ({ taskId }) => ({ taskId }),
    effect: (after, { categoryId }) => assert.is(after.tasks(categoryId)[0].p, true),
    versions: tasks,
    notify: 1,
    refused: ({ strange }) => ({ 'an unknown task': { taskId: newId() }, 'the task of another child': { taskId: strange } })
  },
  {
    type: 'REVIEW_CHILD_TASK',
    by: 'parent',
    prepare: async scene => {
      const categoryId = await scene.addCategory()
      await scene.act({ type: 'SET_DEVICE_USER', deviceId: scene.target.id, userId: scene.child.id })
      const [taskId, idle] = [await scene.addTask(categoryId, 5_000), await scene.addTask(categoryId)]
      await scene.target.act(scene.target.appLogic({ type: 'MARK_TASK_PENDING', taskId }))
      return { categoryId, taskId, idle }
    },
    body: ({ taskId }) => ({ taskId, ok: true, time: 1_700_000_000_000 }),
    effect: (after, { categoryId, taskId }) => {
      const { p, l } = after.tasks(categoryId).find(task => task.i === taskId)
      assert.equal([p, l, after.base(categoryId).extraTime], [false, 1_700_000_000_000, 5_000])
    },
    versions: ({ categoryId }) => [`base:${categoryId}`, `tasks:${categoryId}`],
    notify: undefined,
    refused: ({ idle }) => ({ 'an unknown task': { taskId: newId() }, 'a task that nobody has done': { taskId: idle } })
  },
  {
    type: 'ADD_USED_TIME',
    by: 'appLogic',
    sender: 'target',
    prepare: async scene => {
      const categoryId = await scene.addCategory()
      await scene.act({ type: 'SET_CATEGORY_EXTRA_TIME', categoryId, newExtraTime: 5_000 })
      await scene.target.act(
        scene.target.appLogic({ type: 'ADD_USED_TIME', categoryId, day: DAY, timeToAdd: 1_000, extraTimeToSubtract: 0 })
      )
      return { categoryId }
    },
    body: ({ categoryId }) => ({ categoryId, day: DAY, timeToAdd: 2_000, extraTimeToSubtract: 1_500 }),
    effect: (after, { categoryId }) => {
      assert.equal(after.times(categoryId), [{ day: DAY, time: 3_000, start: 0, end: 1_439 }])
      assert.is(after.base(categoryId).extraTime, 3_500)
    },
    versions: ({ categoryId }) => [`base:${categoryId}`, `usedTime:${categoryId}`],
    notify: 1,
    refused: () => ({ 'an unknown category': { categoryId: newId() } })
  },
  {
    type: 'ADD_USED_TIME_V2',
    by: 'appLogic',
    sender: 'target',
    prepare: async scene => {
      const categoryId = await scene.addCategory()
      await scene.act({ type: 'SET_DEVICE_USER', deviceId: scene.target.id, userId: scene.child.id })
      await scene.act({ type: 'SET_CATEGORY_EXTRA_TIME', categoryId, newExtraTime: 5_000 })
      return { categoryId }
    },
    body: ({ categoryId }) => ({
      d: DAY,
      t: 1_700_000_000_000,
      i: [item(categoryId, { etts: 4_000, as: [[60, 119]], sdl: [[0, 1_439, 600_000, 300_000]] })]
    }),
    optional: ['t'],
    effect: (after, { categoryId }) => {
      assert.equal(
        [...after.times(categoryId)].sort((left, right) => left.start - right.start),
        [
          { day: DAY, time: MINUTE_MS, start: 0, end: 1_439 },
          { day: DAY, time: MINUTE_MS, start: 60, end: 119 }
        ]
      )
      assert.equal(after.categories.get(categoryId)!.usedTime.sessionDurations, [
        { md: 600_000, spd: 300_000, sm: 0, em: 1_439, l: 1_700_000_000_000, d: MINUTE_MS }
      ])
      assert.is(after.base(categoryId).extraTime, 1_000)
    },
    versions: ({ categoryId }) => [`base:${categoryId}`, `usedTime:${categoryId}`],
    notify: 1,
    refused: ({ categoryId }) => {
      const wrong = (more: Record<string, unknown>): Record<string, unknown> => ({ i: [item(categoryId, more)] })
      return {
        'no item': { i: [] },
        'a category twice': { i: [item(categoryId), item(categoryId)] },
        'time below 0': wrong({ tta: -1 }),
        'extra time below 0': wrong({ etts: -1 }),
        'no id': wrong({ categoryId: 'abc' }),
        'a member that is none in the item': wrong({ more: 1 }),
        'a slot that ends before it starts': wrong({ as: [[60, 59]] }),
        'a slot past the day': wrong({ as: [[60, 1_440]] }),
        'a slot of three': wrong({ as: [[60, 70, 80]] }),
        'a slot twice': wrong({ as: [[60, 70], [60, 70]] }), // prettier-ignore
        'a session of no length': wrong({ sdl: [[0, 1_439, 0, 300_000]] }),
        'a session without pause': wrong({ sdl: [[0, 1_439, 600_000, 0]] })
      }
    }
  }
]
