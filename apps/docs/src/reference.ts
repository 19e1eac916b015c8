import { join } from 'node:path'
import {
  Application,
  Converter,
  type DeclarationReflection,
  type ProjectReflection,
  ReflectionKind,
  type TypeDocOptions,
} from 'typedoc'
import type { PluginOptions } from 'typedoc-plugin-markdown'
import { repository, root } from './repository.ts'

/** The public entry points: what an application imports, and the file behind it. */
export const entryPoints: Readonly<Record<string, string>> = {
  '@saoma/client': 'packages/client/src/index.ts',
  '@saoma/client/components': 'packages/client/src/components.ts',
  '@saoma/client/element': 'packages/client/src/element/element.ts',
  '@saoma/client/server': 'packages/client/src/server.ts',
  '@saoma/client/wx': 'packages/client/src/wx/index.ts',
  '@saoma/protocol': 'packages/protocol/src/index.ts',
  '@saoma/react': 'packages/react/src/index.ts',
  '@saoma/vue': 'packages/vue/src/index.ts',
}

const OF_OTHERS = /(?:^|\/)node_modules\//

/** TypeDoc calls a module by its path. People know it by what they import. */
const nameModules = (app: Application): void => {
  const names = new Map(Object.entries(entryPoints).map(([name, file]) => [join(root, file), name]))
  app.converter.on(Converter.EVENT_CREATE_DECLARATION, ({ project }, reflection: DeclarationReflection) => {
    if (!reflection.kindOf(ReflectionKind.Module)) return
    reflection.name = names.get(project.getSymbolIdFromReflection(reflection)?.fileName ?? '') ?? reflection.name
  })
}

/** What is inherited from other packages has its source there, and not in our repository. */
const dropForeignSources = (app: Application): void => {
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    for (const reflection of Object.values(project.reflections))
      if (reflection.isDeclaration() || reflection.isSignature())
        if (reflection.sources?.some(({ fullFileName }) => OF_OTHERS.test(fullFileName))) delete reflection.sources
  })
}

/** The public functions without a docstring, each with its entry point. */
const undocumented = (project: ProjectReflection): string[] =>
  project
    .getReflectionsByKind(ReflectionKind.Function)
    .filter((one) => one.isDeclaration() && !one.signatures?.some((signature) => signature.hasComment()))
    .filter(({ parent }) => parent?.kindOf(ReflectionKind.Module))
    .map((one) => `${one.name} of ${one.parent?.name}`)

/**
 * Writes a Markdown page for each public function, class, type and value of the packages, made of their
 * docstrings. Tells of functions that have none.
 */
export const writeReference = async (folder: string, say: (sentence: string) => void): Promise<void> => {
  const options: Partial<TypeDocOptions> & Partial<PluginOptions> = {
    entryPoints: Object.values(entryPoints).map((file) => join(root, file)),
    tsconfig: join(root, 'tsconfig.json'),
    plugin: ['typedoc-plugin-markdown'],
    basePath: root,
    logLevel: 'Warn',
    // Another version of the compiler has checked the types already.
    skipErrorChecking: true,
    excludePrivate: true,
    excludeProtected: true,
    excludeInternal: true,
    excludeExternals: true,
    // What Lit says of each of its elements.
    excludeCategories: [
      'attributes',
      'controllers',
      'dev-mode',
      'lifecycle',
      'properties',
      'rendering',
      'styles',
      'updates',
    ],
    readme: 'none',
    name: 'API',
    out: folder,
    // A shallow clone has no history, and an archive no Git at all.
    disableGit: true,
    gitRevision: 'main',
    sourceLinkTemplate: `${repository}/blob/main/packages/{path}#L{line}`,
    // Types that are not exported are written out where they are used.
    validation: { notExported: false, invalidLink: true, invalidPath: true, rewrittenLink: true, notDocumented: false },
    sort: ['source-order'],
    // From here on those of typedoc-plugin-markdown.
    router: 'member',
    entryFileName: 'index',
    excludeScopesInPaths: true,
    hidePageHeader: true,
    hideBreadcrumbs: true,
    useCodeBlocks: true,
    sanitizeComments: true,
  }
  const app = await Application.bootstrapWithPlugins(options)
  nameModules(app)
  dropForeignSources(app)
  const project = await app.convert()
  if (!project) throw new Error('TypeDoc could not read the packages.')
  app.validate(project)
  for (const name of undocumented(project)) say(`The public function ${name} has no docstring.`)
  await app.generateOutputs(project)
  if (app.logger.hasErrors()) throw new Error('TypeDoc could not write its pages, see above.')
}
