import type { FastifyInstance } from 'fastify'
import { orNotFound } from '../../web/answer/errors.ts'
import { isAct } from '../contract/operation.ts'
import { type ProblemName, problems } from '../contract/problems.ts'
import { apiDocument, operationId, queryParameters, scopeFor, whoMay } from '../document.ts'
import { exampleOf } from '../example.ts'
import { operations } from '../operations.ts'

/** The documentation of the API, for people: made of the same definitions as the document for programs. */
export default async function apiDocsRoutes(app: FastifyInstance) {
  const see = { config: { can: 'api.see' } } as const
  const { publicUrl } = app.config
  const api = `${publicUrl}/api/v1`

  app.get('/api/docs', see, async (_request, reply) => {
    const { components } = apiDocument(publicUrl) as { components: { schemas: Record<string, unknown> } }
    return reply.page('api/docs', {
      title: 'API',
      api,
      tags: [...new Set(operations.map(({ tag }) => tag))].map((tag) => ({
        tag,
        operations: operations
          .filter((operation) => operation.tag === tag)
          .map((operation) => ({
            id: operationId(operation),
            method: operation.method,
            path: operation.path,
            summary: operation.summary,
            description: operation.description ?? '',
            scope: scopeFor(operation),
            whoMay: whoMay(operation),
            parameters: Object.entries(queryParameters(operation)).map(([name, { words }]) => ({ name, words })),
            example: exampleOf(operation, api),
            status: isAct(operation) ? operation.status : 200,
          })),
      })),
      schemas: components.schemas,
      problems,
    })
  })

  app.get('/api/problems/:problem', see, async (request, reply) => {
    const { problem } = request.params as { problem: string }
    const name = orNotFound(Object.hasOwn(problems, problem) ? (problem as ProblemName) : undefined)
    return reply.page('api/problem', { title: problems[name].title, name, about: problems[name] })
  })
}
