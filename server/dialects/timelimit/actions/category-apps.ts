import { str } from '../../../../protocol/index.ts'
import type { Acting } from '../acting.ts'
import type { FamilyChange } from '../family-change.ts'
import { distinct, id } from '../forms.ts'
import { refuse, roomFor } from '../refuse.ts'
import { row, type Rows } from '../row.ts'
import { own } from './categories.ts'

const MAX_APPS = 10_000

const fields = { categoryId: id, packageNames: distinct(str(512, 1), MAX_APPS) }

/** Which apps are in which category. */
export const PARENT_CATEGORY_APPS: Rows = {
  ADD_CATEGORY_APPS: row({
    fields,
    selfLimit: true,
    versions: ['apps'],
    tell: 2,
    text: 'the apps are in this category, and in no other of the child. A child moves them further in only',
    effect: addApps
  }),
  REMOVE_CATEGORY_APPS: row({
    fields,
    versions: ['apps'],
    tell: 2,
    text: 'the apps are in no category',
    effect(family, { categoryId, packageNames }) {
      family.category(categoryId)
      const gone = new Set(packageNames)
      setApps(
        family,
        categoryId,
        appsOf(family, categoryId).filter(app => !gone.has(app))
      )
    }
  })
}

const appsOf = (family: FamilyChange, category: string): readonly string[] => family.get('categoryApps', category)?.apps ?? []

function setApps(family: FamilyChange, category: string, apps: readonly string[]): void {
  family.put('categoryApps', category, { apps })
  family.renewPart(category, 'apps')
}

function addApps(
  family: FamilyChange,
  { categoryId, packageNames }: { categoryId: string; packageNames: readonly string[] },
  by: Acting
): void {
  const { childId } = own(family, categoryId, by).base
  const added = new Set(packageNames)
  // An activity without a category of its own counts to that of its app.
  const apps = new Set(packageNames.map(name => name.split(':', 1)[0]!))
  const around = family.withOuter(categoryId)
  const assigned = new Set<string>()
  let count = added.size
  for (const { base } of family.categoriesOf(childId)) {
    const before = appsOf(family, base.categoryId)
    const concerned = before.filter(app => added.has(app) || apps.has(app))
    if (concerned.length > 0) by.mustTighten(around.includes(base.categoryId))
    for (const app of concerned) assigned.add(app)
    const kept = before.filter(app => !added.has(app))
    count += kept.length
    if (base.categoryId === categoryId) setApps(family, categoryId, [...kept, ...packageNames])
    else if (kept.length < before.length) setApps(family, base.categoryId, kept)
  }
  if (count > roomFor(MAX_APPS, by)) refuse('quota-exceeded', `a child has at most ${MAX_APPS} apps in its categories`)
  // An app of no category counts to the one for such apps; without one it is blocked.
  const takesUnassigned = around.includes(family.get('user', childId)?.user.categoryForNotAssignedApps ?? '')
  by.mustTighten(takesUnassigned || [...apps].every(app => assigned.has(app)))
}
