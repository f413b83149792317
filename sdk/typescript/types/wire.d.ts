// Made from docs/schemas by `npm run build`; not to be edited.

export type CapabilityFile =
  | CapabilityDescriptor
  | FacetBody
  | CapabilityDescriptor[]
  | {
      facets?: FacetBody[];
      capabilities?: CapabilityDescriptor[];
    };
/**
 * One frame of a run's stream; `id` is the seq as text, `payload` depends on the `type`.
 *
 * Every event of a run that was erased has an ErasedPayload: `{"erased": {at, by, reason}}`.
 */
export type FlexEvent =
  | StartEvent
  | PlanRequestedEvent
  | PlanRejectedEvent
  | PlanGeneratedEvent
  | PlanUpdatedEvent
  | NodeStartEvent
  | NodeCompleteEvent
  | NodeErrorEvent
  | ValidationErrorEvent
  | HitlRequestEvent
  | HitlExpiringEvent
  | HitlResolvedEvent
  | RunPausedEvent
  | RunResumedEvent
  | PriorityChangedEvent
  | PolicyTriggeredEvent
  | LogEvent
  | CompleteEvent;
export type OutputContract = JsonSchemaContract | FreeformContract | FacetsContract;

/**
 * The same with `--dry-run`: which runs it would be. Statuses are those of runs that filters have found.
 */
export interface BulkCount {
  command: "abort" | "pause" | "resume" | "retry" | "fork" | "set-priority" | "erase";
  matched: number;
  byStatus: {
    [k: string]: number;
  };
  runs: string[];
  [k: string]: any;
}
/**
 * What became of the command for one run: `status` where it was done, the problem's `code` where not.
 *
 * `newRunId` is the run that a retry or fork has made. Of `runs erase`: whether it can be erased, whether it is,
 * and the runs that were made from it and still have copies of its data.
 */
export interface BulkResult {
  runId: string;
  done: boolean;
  status?:
    | (
        | "pending"
        | "planning"
        | "running"
        | "awaiting_hitl"
        | "awaiting_human"
        | "paused"
        | "completed"
        | "failed"
        | "aborted"
      )
    | null;
  newRunId?: string | null;
  code?: string | null;
  message?: string | null;
  erasable?: boolean | null;
  erased?: boolean | null;
  copies?: string[] | null;
  [k: string]: any;
}
/**
 * `flexrun runs abort` and its like with several runs or `--filter`, with `--json`.
 */
export interface BulkReport {
  command: "abort" | "pause" | "resume" | "retry" | "fork" | "set-priority" | "erase";
  matched: number;
  done: number;
  refused: number;
  results: BulkResult[];
  [k: string]: any;
}
/**
 * What one call is expected to cost: money in millionths of `currency`, tokens, seconds.
 */
export interface CostEstimate {
  micros?: number | null;
  currency?: string | null;
  tokens?: number | null;
  seconds?: number | null;
}
/**
 * A facet that a capability takes: whether it needs it, and whether it takes one or a list of them.
 */
export interface FacetInput {
  name: string;
  required?: boolean;
  many?: boolean;
}
/**
 * A service: the bundle is sent to `url` by POST.
 *
 * `secret` signs each request as https://www.standardwebhooks.com has it (`whsec_…`). A service that answers 202 calls
 * back within `callbackTimeoutSeconds`. `allowPrivate` permits an address of this machine or network.
 */
export interface HttpHome {
  type: "http";
  url: string;
  headers?: {
    [k: string]: string;
  };
  secret?: string | null;
  requestSeconds?: number;
  callbackTimeoutSeconds?: number;
  allowPrivate?: boolean;
}
/**
 * People, who find the work in their list of tasks.
 */
export interface HumanHome {
  type: "human";
}
/**
 * How much of it may run over all processes: attempts at the same time, and starts within sixty seconds.
 */
export interface Limits {
  maxConcurrent?: number | null;
  perMinute?: number | null;
}
/**
 * A tool of an MCP server, which is started by `command` (stdio) or reached at `url` (streamable HTTP).
 */
export interface McpHome {
  type: "mcp";
  command?: string[] | null;
  env?: {
    [k: string]: string;
  };
  url?: string | null;
  headers?: {
    [k: string]: string;
  };
  tool: string;
}
/**
 * A language model behind an endpoint that speaks the chat completions of OpenAI.
 *
 * `prompt` and `system` are Jinja2 templates over the bundle. `structured` is how the endpoint is asked for JSON: by
 * the schema of the node's contract, as any JSON object, in words only, or (`auto`) by the first of these that works.
 * With `price` the cost of each call is computed from its tokens. With `stream` the answer is shown as it is made.
 */
export interface ModelHome {
  type: "model";
  model: string;
  baseUrl: string;
  apiKey?: string | null;
  prompt: string;
  system?: string | null;
  temperature?: number | null;
  maxTokens?: number | null;
  structured?: "auto" | "schema" | "json" | "text";
  requestSeconds?: number;
  price?: TokenPrice | null;
  stream?: boolean;
}
/**
 * What a model costs: millionths of `currency` for one token, `2.5` where a million tokens cost 2.50.
 */
export interface TokenPrice {
  inputMicros: number;
  outputMicros: number;
  currency: string;
}
/**
 * A Python function, run by executors that have loaded it (`flexrun executor --load`).
 */
export interface PythonHome {
  type: "python";
}
/**
 * A worker in any language, which asks a gateway for work (`POST /api/v1/flex/work/claim`).
 */
export interface WorkerHome {
  type: "worker";
}
/**
 * One capability: what it does, what it takes and gives, what it costs, and where it runs.
 *
 * It takes facets or what `inputSchema` says, and gives facets or what `outputSchema` says. `idempotent` says whether
 * an attempt whose outcome is not known may simply run again. A worker that is silent for `heartbeatSeconds` is taken
 * for lost.
 *
 * Planners read three more: `about` are words, and only where the objective or the inputs have one of them does the
 * capability have a part in a plan; `checks` are facets, and a plan that makes one of them has this capability look at
 * it; `nodeName` is what a plan calls a node of it, in the place of its id.
 */
export interface CapabilityDescriptor {
  id: string;
  version?: string;
  label: string;
  description?: string;
  kind?: "structuring" | "execution" | "validation" | "transformation" | "routing";
  agentType?: "ai" | "human" | "service";
  /**
   * @maxItems 100
   */
  facetsIn?: (string | FacetInput)[];
  inputSchema?:
    | {
        [k: string]: any;
      }
    | boolean
    | null;
  /**
   * @maxItems 100
   */
  facetsOut?: string[];
  outputSchema?:
    | {
        [k: string]: any;
      }
    | boolean
    | null;
  cost?: CostEstimate | null;
  limits?: Limits | null;
  timeoutSeconds?: number | null;
  heartbeatSeconds?: number | null;
  idempotent?: boolean;
  about?: string[] | null;
  checks?: string[] | null;
  nodeName?: string | null;
  queue?: string;
  /**
   * @maxItems 100
   */
  tags?: string[];
  metadata?: {
    [k: string]: any;
  };
  home?: PythonHome | WorkerHome | HttpHome | ModelHome | McpHome | HumanHome;
  [k: string]: any;
}
/**
 * A facet: a named piece of meaning, and the JSON Schema (2020-12) that says what it looks like.
 *
 * Of a facet with `many` a contract takes one or a list. A new version must accept what the versions before accepted.
 */
export interface FacetBody {
  name: string;
  version?: string;
  description: string;
  schema: {
    [k: string]: any;
  };
  many?: boolean;
}
/**
 * One of the answers that a `choice` offers.
 */
export interface HitlOption {
  id: string;
  label: string;
  [k: string]: any;
}
/**
 * A question to a person, which ends the attempt; the next one finds the answer in its bundle (`answers`).
 */
export interface Question {
  question: string;
  /**
   * @maxItems 100
   */
  options?: HitlOption[];
  allowFreeForm?: boolean;
  additionalContext?: any;
}
/**
 * Tokens, money in millionths of `currency`, and seconds of work; `model` is the version that answered.
 */
export interface Usage {
  inputTokens?: number | null;
  outputTokens?: number | null;
  costMicros?: number | null;
  currency?: string | null;
  seconds?: number | null;
  model?: string | null;
  [k: string]: any;
}
/**
 * Why an attempt has no output. `retryable` is false where a further attempt would fail the same way.
 */
export interface WorkError {
  code: string;
  message?: string;
  retryable?: boolean;
}
/**
 * What an attempt ended with: an output, which may be null, or an error, or a question to a person.
 */
export interface CapabilityResult {
  output?: any;
  usage?: Usage | null;
  error?: WorkError | null;
  ask?: Question | null;
}
/**
 * Which dead letters: of this queue, and whose reason has this text in it.
 */
export interface LetterSelection {
  queue?: string | null;
  reason?: string | null;
}
/**
 * The body of `dead-letters/drop`; what is dropped is gone, so there is a reason.
 */
export interface DropLettersBody {
  ids?: string[] | null;
  filter?: LetterSelection | null;
  limit?: number;
  dryRun?: boolean;
  operator?:
    | string
    | {
        [k: string]: any;
      }
    | null;
  reason: string;
}
/**
 * The body of `dead-letters/requeue`.
 */
export interface RequeueLettersBody {
  ids?: string[] | null;
  filter?: LetterSelection | null;
  limit?: number;
  dryRun?: boolean;
  operator?:
    | string
    | {
        [k: string]: any;
      }
    | null;
  reason?: string | null;
}
/**
 * A node that only one of the two plans has, or that is made anew.
 */
export interface ChangedNode {
  id: string;
  why: string;
  [k: string]: any;
}
/**
 * The end of a run: an output when it completed, which may be null, and an error otherwise.
 *
 * `goal_condition_results` is there where the envelope has goal conditions and the run came as far as its output.
 */
export interface CompletePayload {
  status: "completed" | "failed" | "aborted";
  output?: any;
  error?: ErrorInfo | null;
  goal_condition_results?: GoalConditionResult[] | null;
  [k: string]: any;
}
/**
 * Why something failed: a stable code and a sentence.
 */
export interface ErrorInfo {
  code: string;
  message: string;
  details?: any;
  [k: string]: any;
}
/**
 * Whether one goal condition was met. `error` says why it could not be evaluated.
 */
export interface GoalConditionResult {
  facet?: string | null;
  path: string;
  expression: any;
  satisfied: boolean;
  observedValue?: any;
  error?: string | null;
  [k: string]: any;
}
/**
 * One disagreement between an output and its schema, in the shape that Ajv made common.
 */
export interface ContractError {
  instancePath: string;
  keyword: string;
  message: string;
  params: {
    [k: string]: any;
  };
  schemaPath: string;
  [k: string]: any;
}
/**
 * Why there is no plan, or why one is refused; `path` is a JSON pointer into it, or empty.
 */
export interface Diagnostic {
  code: string;
  message: string;
  path?: string;
  [k: string]: any;
}
/**
 * An edge as a client draws it: `to` waits for `from`.
 */
export interface EdgeSummary {
  from: string;
  to: string;
  [k: string]: any;
}
/**
 * A request whose time is nearly over: `onExpiry` is what happens at `expiresAt` without a decision.
 */
export interface HitlExpiringPayload {
  requestId: string;
  question: string;
  urgency: "low" | "normal" | "high";
  expiresAt: string;
  onExpiry: "reject" | "approve" | "escalate";
  [k: string]: any;
}
/**
 * The same request twice: in our words, and in `request` in the shape of the operator screens.
 */
export interface HitlRequestPayload {
  requestId: string;
  kind: "approval" | "clarify" | "choice";
  question: string;
  options?: HitlOption[];
  allowFreeForm?: boolean;
  urgency?: "low" | "normal" | "high";
  additionalContext?: any;
  pendingOutput?: any;
  expiresAt?: string | null;
  originAgent?: ("strategy" | "generation" | "qa") | null;
  outputHash?: string | null;
  responseSchema?: {
    [k: string]: any;
  } | null;
  request?: ScreenRequest | null;
  [k: string]: any;
}
/**
 * The request in the shape of the operator screens; `contractSummary` has what is known of node and contract.
 */
export interface ScreenRequest {
  id: string;
  originAgent: "strategy" | "generation" | "qa";
  createdAt: string;
  payload: ScreenQuestion;
  pendingNodeId: string | null;
  operatorPrompt: string | null;
  contractSummary: {
    [k: string]: any;
  } | null;
  [k: string]: any;
}
/**
 * A question as operator screens read it; `additionalContext` is a text, JSON where it was an object.
 */
export interface ScreenQuestion {
  question: string;
  kind: "approval" | "clarify" | "choice";
  options: HitlOption[];
  allowFreeForm: boolean;
  urgency: "low" | "normal" | "high";
  additionalContext: string | null;
  [k: string]: any;
}
/**
 * A decision. `outputHash` names the output that was approved.
 */
export interface HitlResolvedPayload {
  requestId: string;
  decision: "approved" | "rejected" | "answered" | "edited" | "expired" | "removed";
  operator?:
    | string
    | {
        [k: string]: any;
      }
    | null;
  note?: string | null;
  outputHash?: string | null;
  [k: string]: any;
}
/**
 * A node of the plan before that goes on in the new one, as far as it is.
 */
export interface KeptNode {
  id: string;
  status:
    | "pending"
    | "ready"
    | "running"
    | "waiting_retry"
    | "awaiting_hitl"
    | "awaiting_human"
    | "completed"
    | "failed"
    | "skipped"
    | "cancelled";
  why: string;
  [k: string]: any;
}
/**
 * A line for people; `event` and `payload` are what a runtime policy emits.
 */
export interface LogPayload {
  level: "debug" | "info" | "warning" | "error";
  message: string;
  event?: string | null;
  payload?: {
    [k: string]: any;
  } | null;
  [k: string]: any;
}
/**
 * A node's output. `operator` and `note` are those of a person who wrote it.
 */
export interface NodeCompletePayload {
  capabilityId: string;
  capabilityVersion?: string | null;
  usedVersion?: string | null;
  attempt: number;
  output: any;
  durationMs: number;
  usage?: Usage | null;
  operator?:
    | string
    | {
        [k: string]: any;
      }
    | null;
  note?: string | null;
  [k: string]: any;
}
/**
 * A failed attempt. `usage` is what the capability said that it used, where it did.
 */
export interface NodeErrorPayload {
  capabilityId: string;
  attempt: number;
  error: ErrorInfo;
  willRetry: boolean;
  nextAttemptAt?: string | null;
  usage?: Usage | null;
  [k: string]: any;
}
/**
 * `capabilityVersion` is the version that the plan was made for; where that is not to be had, `usedVersion` is one
 * with the same contract that works in its place.
 */
export interface NodeStartPayload {
  capabilityId: string;
  capabilityVersion?: string | null;
  usedVersion?: string | null;
  label: string;
  attempt: number;
  executorType: "ai" | "human";
  [k: string]: any;
}
/**
 * A node as a client draws it.
 */
export interface NodeSummary {
  id: string;
  capabilityId: string;
  kind: "structuring" | "execution" | "validation" | "transformation" | "routing";
  label: string;
  dependsOn: string[];
  status?:
    | "pending"
    | "ready"
    | "running"
    | "waiting_retry"
    | "awaiting_hitl"
    | "awaiting_human"
    | "completed"
    | "failed"
    | "skipped"
    | "cancelled";
  [k: string]: any;
}
/**
 * What the new plan keeps, adds and drops. A node that is made anew is added and dropped.
 */
export interface PlanDifference {
  kept: KeptNode[];
  added: ChangedNode[];
  dropped: ChangedNode[];
  [k: string]: any;
}
export interface PlanGeneratedPayload {
  version: number;
  nodes: NodeSummary[];
  edges: EdgeSummary[];
  metadata?: {
    [k: string]: any;
  };
  plan?: ScreenPlan | null;
  planning?: Planning | null;
  [k: string]: any;
}
/**
 * The plan in the shape of the operator screens.
 */
export interface ScreenPlan {
  runId: string;
  version: number;
  nodes: ScreenNode[];
  metadata: {
    [k: string]: any;
  };
  [k: string]: any;
}
/**
 * A node as operator screens draw it.
 */
export interface ScreenNode {
  id: string;
  capabilityId: string;
  label: string;
  kind: "structuring" | "execution" | "validation" | "transformation" | "routing";
  status:
    | "pending"
    | "ready"
    | "running"
    | "waiting_retry"
    | "awaiting_hitl"
    | "awaiting_human"
    | "completed"
    | "failed"
    | "skipped"
    | "cancelled";
  [k: string]: any;
}
/**
 * `planner` made the plan, and `code` and `reason` say why it was this one.
 *
 * `usage` is what all tries of this planning attempt used together; the usage of the run contains it.
 */
export interface Planning {
  planner: "model" | "contract";
  code: string;
  reason: string;
  model: string;
  /**
   * @maxItems 20
   */
  tries?: PlanningTry[];
  usage?: Usage | null;
  [k: string]: any;
}
/**
 * One question to the model. `code` is `plan_accepted`, `plan_refused`, or why there was no answer.
 */
export interface PlanningTry {
  code: string;
  diagnostics?: Diagnostic[];
  usage?: Usage | null;
  [k: string]: any;
}
export interface PlanRejectedPayload {
  attempt: number;
  diagnostics: Diagnostic[];
  planning?: Planning | null;
  [k: string]: any;
}
export interface PlanRequestedPayload {
  attempt: number;
  planner: string;
  capabilityCount: number;
  [k: string]: any;
}
/**
 * A later plan. `trigger` are the words that it was asked for with.
 */
export interface PlanUpdatedPayload {
  previousVersion: number;
  version: number;
  trigger: any;
  cause?:
    | ("policy" | "rejected" | "plan_rejected" | "plan_edited" | "invalid_output" | "goal_unmet" | "capability_gone")
    | null;
  difference?: PlanDifference | null;
  nodes: NodeSummary[];
  edges: EdgeSummary[];
  plan?: ScreenPlan | null;
  planning?: Planning | null;
  [k: string]: any;
}
/**
 * What made a policy fire.
 *
 * `event` is the type of the event, or `timeout`, `budget`, `manual`, `decision`, `goal` or `capability_gone`,
 * `eventId` the event itself, `goals` are the goal conditions that were not met.
 * `observed` is what the condition read, by path; long values are named only.
 */
export interface PolicyCause {
  event: string;
  eventId?: string | null;
  nodeId?: string | null;
  attempt?: number | null;
  observed?: {
    [k: string]: any;
  } | null;
  metric?: string | null;
  value?: number | null;
  ms?: number | null;
  limit?: {
    [k: string]: number;
  } | null;
  used?: {
    [k: string]: number;
  } | null;
  operator?:
    | string
    | {
        [k: string]: any;
      }
    | null;
  reason?: string | null;
  requestId?: string | null;
  decision?: string | null;
  goals?: GoalConditionResult[] | null;
  [k: string]: any;
}
/**
 * `trigger` and `action` are those of the envelope, as they were sent; `cause` is what made it true.
 */
export interface PolicyTriggeredPayload {
  policyId: string;
  trigger: any;
  action: any;
  cause?: PolicyCause | null;
  [k: string]: any;
}
/**
 * `high`: what of the run waits goes before other work; `normal`: first come, first served.
 */
export interface PriorityChangedPayload {
  reason?: string | null;
  operator?:
    | string
    | {
        [k: string]: any;
      }
    | null;
  priority: "normal" | "high";
  [k: string]: any;
}
export interface RunPausedPayload {
  reason?: string | null;
  operator?:
    | string
    | {
        [k: string]: any;
      }
    | null;
  [k: string]: any;
}
export interface RunResumedPayload {
  reason?: string | null;
  operator?:
    | string
    | {
        [k: string]: any;
      }
    | null;
  [k: string]: any;
}
export interface StartPayload {
  runId: string;
  threadId?: string | null;
  objective: string;
  schemaHash?: string | null;
  [k: string]: any;
}
export interface ValidationErrorPayload {
  scope: "node" | "final";
  attempt: number;
  /**
   * @minItems 1
   */
  errors: ContractError[];
  [k: string]: any;
}
export interface StartEvent {
  type: "start";
  id: string;
  timestamp: string;
  runId: string;
  nodeId?: string | null;
  correlationId?: string | null;
  planVersion?: number | null;
  message?: string | null;
  payload: StartPayload;
  [k: string]: any;
}
export interface PlanRequestedEvent {
  type: "plan_requested";
  id: string;
  timestamp: string;
  runId: string;
  nodeId?: string | null;
  correlationId?: string | null;
  planVersion?: number | null;
  message?: string | null;
  payload: PlanRequestedPayload;
  [k: string]: any;
}
export interface PlanRejectedEvent {
  type: "plan_rejected";
  id: string;
  timestamp: string;
  runId: string;
  nodeId?: string | null;
  correlationId?: string | null;
  planVersion?: number | null;
  message?: string | null;
  payload: PlanRejectedPayload;
  [k: string]: any;
}
export interface PlanGeneratedEvent {
  type: "plan_generated";
  id: string;
  timestamp: string;
  runId: string;
  nodeId?: string | null;
  correlationId?: string | null;
  planVersion?: number | null;
  message?: string | null;
  payload: PlanGeneratedPayload;
  [k: string]: any;
}
export interface PlanUpdatedEvent {
  type: "plan_updated";
  id: string;
  timestamp: string;
  runId: string;
  nodeId?: string | null;
  correlationId?: string | null;
  planVersion?: number | null;
  message?: string | null;
  payload: PlanUpdatedPayload;
  [k: string]: any;
}
export interface NodeStartEvent {
  type: "node_start";
  id: string;
  timestamp: string;
  runId: string;
  nodeId?: string | null;
  correlationId?: string | null;
  planVersion?: number | null;
  message?: string | null;
  payload: NodeStartPayload;
  [k: string]: any;
}
export interface NodeCompleteEvent {
  type: "node_complete";
  id: string;
  timestamp: string;
  runId: string;
  nodeId?: string | null;
  correlationId?: string | null;
  planVersion?: number | null;
  message?: string | null;
  payload: NodeCompletePayload;
  [k: string]: any;
}
export interface NodeErrorEvent {
  type: "node_error";
  id: string;
  timestamp: string;
  runId: string;
  nodeId?: string | null;
  correlationId?: string | null;
  planVersion?: number | null;
  message?: string | null;
  payload: NodeErrorPayload;
  [k: string]: any;
}
export interface ValidationErrorEvent {
  type: "validation_error";
  id: string;
  timestamp: string;
  runId: string;
  nodeId?: string | null;
  correlationId?: string | null;
  planVersion?: number | null;
  message?: string | null;
  payload: ValidationErrorPayload;
  [k: string]: any;
}
export interface HitlRequestEvent {
  type: "hitl_request";
  id: string;
  timestamp: string;
  runId: string;
  nodeId?: string | null;
  correlationId?: string | null;
  planVersion?: number | null;
  message?: string | null;
  payload: HitlRequestPayload;
  [k: string]: any;
}
export interface HitlExpiringEvent {
  type: "hitl_expiring";
  id: string;
  timestamp: string;
  runId: string;
  nodeId?: string | null;
  correlationId?: string | null;
  planVersion?: number | null;
  message?: string | null;
  payload: HitlExpiringPayload;
  [k: string]: any;
}
export interface HitlResolvedEvent {
  type: "hitl_resolved";
  id: string;
  timestamp: string;
  runId: string;
  nodeId?: string | null;
  correlationId?: string | null;
  planVersion?: number | null;
  message?: string | null;
  payload: HitlResolvedPayload;
  [k: string]: any;
}
export interface RunPausedEvent {
  type: "run_paused";
  id: string;
  timestamp: string;
  runId: string;
  nodeId?: string | null;
  correlationId?: string | null;
  planVersion?: number | null;
  message?: string | null;
  payload: RunPausedPayload;
  [k: string]: any;
}
export interface RunResumedEvent {
  type: "run_resumed";
  id: string;
  timestamp: string;
  runId: string;
  nodeId?: string | null;
  correlationId?: string | null;
  planVersion?: number | null;
  message?: string | null;
  payload: RunResumedPayload;
  [k: string]: any;
}
export interface PriorityChangedEvent {
  type: "priority_changed";
  id: string;
  timestamp: string;
  runId: string;
  nodeId?: string | null;
  correlationId?: string | null;
  planVersion?: number | null;
  message?: string | null;
  payload: PriorityChangedPayload;
  [k: string]: any;
}
export interface PolicyTriggeredEvent {
  type: "policy_triggered";
  id: string;
  timestamp: string;
  runId: string;
  nodeId?: string | null;
  correlationId?: string | null;
  planVersion?: number | null;
  message?: string | null;
  payload: PolicyTriggeredPayload;
  [k: string]: any;
}
export interface LogEvent {
  type: "log";
  id: string;
  timestamp: string;
  runId: string;
  nodeId?: string | null;
  correlationId?: string | null;
  planVersion?: number | null;
  message?: string | null;
  payload: LogPayload;
  [k: string]: any;
}
export interface CompleteEvent {
  type: "complete";
  id: string;
  timestamp: string;
  runId: string;
  nodeId?: string | null;
  correlationId?: string | null;
  planVersion?: number | null;
  message?: string | null;
  payload: CompletePayload;
  [k: string]: any;
}
/**
 * Write a `log` event that carries `event` and `payload`, for the readers of the run.
 */
export interface Emit {
  type: "emit";
  event: string;
  payload?: {
    [k: string]: any;
  } | null;
}
/**
 * The output is an object with one key for each named facet.
 */
export interface FacetsContract {
  mode: "facets";
  /**
   * @minItems 1
   * @maxItems 50
   */
  facets: string[];
}
/**
 * End the run as `failed` with `policy_failed`.
 */
export interface Fail {
  type: "fail";
  message?: string | null;
}
/**
 * The output is whatever the instructions describe.
 */
export interface FreeformContract {
  mode: "freeform";
  instructions: string;
  expectedFormat?: string | null;
  example?: any;
}
/**
 * Have `next` run again, and what depends on it: a node of the plan, or the nodes of a capability.
 */
export interface Goto {
  type: "goto";
  next: string;
  maxAttempts?: number | null;
}
/**
 * Ask people, and wait with what comes after the event. What is done then is said by the two actions.
 */
export interface Hitl {
  type: "hitl";
  question?: string | null;
  rationale?: string | null;
  hitl?: HitlPolicy | null;
  approveAction?:
    | (
        | ("retry" | "fail" | "pause" | "log" | "replan")
        | Fail
        | Goto
        | Retry
        | Pause
        | Emit
        | Log
        | SetPriority
        | Replan
      )
    | null;
  rejectAction?:
    | (
        | ("retry" | "fail" | "pause" | "log" | "replan")
        | Fail
        | Goto
        | Retry
        | Pause
        | Emit
        | Log
        | SetPriority
        | Replan
      )
    | null;
}
/**
 * The rules of every request of the run: who may decide, how many must, and what if no decision comes in time.
 *
 * With `plan` a person approves each plan before any of its nodes starts.
 */
export interface HitlPolicy {
  /**
   * @maxItems 100
   */
  approvers?: string[];
  quorum?: number;
  expiresInSeconds?: number | null;
  onExpiry?: "reject" | "approve" | "escalate";
  escalateTo?: string | null;
  afterEscalation?: "reject" | "approve";
  onReject?: "fail" | "replan" | "rerun";
  forbidSubmitter?: boolean;
  urgency?: "low" | "normal" | "high";
  plan?: boolean;
}
/**
 * Have the node run once more; `with` is put among the `answers` of its bundle.
 */
export interface Retry {
  type: "retry";
  with?:
    | string
    | {
        [k: string]: any;
      }
    | null;
  maxAttempts?: number | null;
}
/**
 * Start nothing new until the run is resumed.
 */
export interface Pause {
  type: "pause";
  reason?: string | null;
}
/**
 * Write `policy_triggered`, and nothing else; with a `message` a line in the log as well.
 */
export interface Log {
  type: "log";
  message?: string | null;
  level?: "debug" | "info" | "warning" | "error";
}
/**
 * `high`: the work of the run that is not begun goes before that of others; `normal`: first come, first served.
 */
export interface SetPriority {
  type: "setPriority";
  priority: "normal" | "high";
}
/**
 * Have the run planned again: completed work that the new plan has use for is kept.
 */
export interface Replan {
  type: "replan";
  rationale?: string | null;
}
/**
 * The output must be accepted by `schema`; the mode may be left out when the schema is there.
 */
export interface JsonSchemaContract {
  mode?: "json_schema";
  schema:
    | {
        [k: string]: any;
      }
    | boolean;
  hints?: {
    [k: string]: any;
  } | null;
  example?: any;
}
/**
 * An operator fires it: `POST …/policies/{policyId}/trigger`.
 */
export interface Manual {
  condition?: {
    [k: string]: any;
  } | null;
  selector?: Selector | null;
  kind: "manual";
}
/**
 * Only what concerns such a node; all that is given must fit. `facet`: one whose output has this property.
 */
export interface Selector {
  nodeId?: string | null;
  kind?: ("structuring" | "execution" | "validation" | "transformation" | "routing") | null;
  capabilityId?: string | null;
  facet?: string | null;
}
/**
 * What a node owes: the shape of its output, what is expected of it, and what happens when it fails.
 *
 * With the fallback `retry` the run fails when `maxAttempts` are used up, with `hitl` a person is asked then, and with
 * `abort` the first failure ends the run.
 */
export interface NodeContract {
  output?:
    | {
        [k: string]: any;
      }
    | boolean
    | null;
  /**
   * @maxItems 100
   */
  expectations?: string[];
  maxAttempts?: number;
  fallback?: "retry" | "hitl" | "abort";
  timeoutSeconds?: number | null;
}
/**
 * A limit of `constraints.budget` is reached.
 */
export interface OnBudget {
  condition?: {
    [k: string]: any;
  } | null;
  kind: "onBudget";
}
/**
 * A node has an output whose number `metric` (`metrics.METRIC`, or `METRIC` itself) is below `threshold`.
 */
export interface OnMetricBelow {
  condition?: {
    [k: string]: any;
  } | null;
  selector?: Selector | null;
  kind: "onMetricBelow";
  metric: string;
  threshold: number;
}
/**
 * A node has an output.
 */
export interface OnNodeComplete {
  condition?: {
    [k: string]: any;
  } | null;
  selector?: Selector | null;
  kind: "onNodeComplete";
}
/**
 * An attempt of a node failed. After the last one, the policy comes before the node's fallback.
 */
export interface OnNodeError {
  condition?: {
    [k: string]: any;
  } | null;
  selector?: Selector | null;
  kind: "onNodeError";
}
/**
 * An attempt of a node begins.
 */
export interface OnNodeStart {
  condition?: {
    [k: string]: any;
  } | null;
  selector?: Selector | null;
  kind: "onNodeStart";
}
/**
 * A plan is in force: the first one, or one that replaces another.
 */
export interface OnPlan {
  condition?: {
    [k: string]: any;
  } | null;
  kind: "onPlan";
}
/**
 * The run was accepted; it has no plan yet.
 */
export interface OnStart {
  condition?: {
    [k: string]: any;
  } | null;
  kind: "onStart";
}
/**
 * `ms` milliseconds have passed since the run began; with a selector, since the attempt of such a node began.
 */
export interface OnTimeout {
  condition?: {
    [k: string]: any;
  } | null;
  selector?: Selector | null;
  kind: "onTimeout";
  ms: number;
}
/**
 * An output broke its contract: a node's, or the composed one.
 */
export interface OnValidationFail {
  condition?: {
    [k: string]: any;
  } | null;
  selector?: Selector | null;
  kind: "onValidationFail";
}
/**
 * One piece of work for one capability; it starts when every node in `dependsOn` is completed.
 *
 * `capabilityVersion` is the version that the plan was made for. Where the node is not `idempotent`, an attempt whose
 * outcome is not known (its worker was lost) is not run again: the node fails with `outcome_unknown`.
 */
export interface PlanNode {
  id: string;
  capabilityId: string;
  kind: "structuring" | "execution" | "validation" | "transformation" | "routing";
  label: string;
  /**
   * @maxItems 1000
   */
  dependsOn?: string[];
  contract?: NodeContract;
  bundle?: {
    [k: string]: any;
  };
  queue?: string;
  agentType?: "ai" | "human" | "service";
  capabilityVersion?: string | null;
  idempotent?: boolean;
}
/**
 * How the work is to be done; keys other than these are kept and handed to the capabilities.
 */
export interface Policies {
  planner?: (
    | string
    | {
        [k: string]: any;
      }
    | null
  ) & {
    directives?: {
      requiresHitlApproval?: boolean | null;
      [k: string]: any;
    };
    [k: string]: any;
  };
  /**
   * @maxItems 100
   */
  runtime?: RuntimePolicy[];
  requiresHitlApproval?: boolean | null;
  hitl?: HitlPolicy | null;
  maxAttempts?: number | null;
  fallback?: ("retry" | "hitl" | "abort") | null;
  humanReview?: boolean | null;
  /**
   * @maxItems 3
   */
  replanOn?: ("invalid_output" | "goal_unmet" | "capability_gone")[];
  [k: string]: any;
}
/**
 * A rule of the run: when `trigger` is met, `action` is taken. The forms of trigger and action have models each.
 *
 * The words of before (`trigger: "node_complete"`, or `{event, nodeId, …}`) stay valid; `watched` and `taken` are the
 * same models for all forms.
 */
export interface RuntimePolicy {
  id?: string | null;
  enabled?: boolean;
  trigger:
    | (
        | ("plan_generated" | "plan_updated" | "node_complete" | "node_error" | "validation_error")
        | (
            | "onStart"
            | "onPlan"
            | "onNodeStart"
            | "onNodeComplete"
            | "onNodeError"
            | "onValidationFail"
            | "onTimeout"
            | "onMetricBelow"
            | "onBudget"
            | "manual"
          )
      )
    | Trigger
    | OnStart
    | OnPlan
    | OnNodeStart
    | OnNodeComplete
    | OnNodeError
    | OnValidationFail
    | OnTimeout
    | OnMetricBelow
    | OnBudget
    | Manual;
  action:
    | ("hitl" | "fail" | "log" | "goto" | "retry" | "pause" | "emit" | "setPriority" | "replan")
    | Hitl
    | Fail
    | Goto
    | Retry
    | Pause
    | Emit
    | Log
    | SetPriority
    | Replan;
}
/**
 * The event that a policy watches; with `nodeId`, `capabilityId` or `kind`, only that of such a node.
 */
export interface Trigger {
  event: "plan_generated" | "plan_updated" | "node_complete" | "node_error" | "validation_error";
  nodeId?: string | null;
  capabilityId?: string | null;
  kind?: ("structuring" | "execution" | "validation" | "transformation" | "routing") | null;
}
/**
 * The body of `runs/{id}/fork`: a new run that keeps what was completed before `fromNodeId`.
 *
 * `inputs` and `policies` are laid over those of the original, `outputContract` replaces its contract. `nodes` replace
 * the plan's remaining nodes, `plan` all of it (queue and agent type are those of the capability unless they are said
 * there). With another contract, or other rules for the planner, and without nodes or a plan, it is planned anew.
 */
export interface ForkBody {
  reason?: string | null;
  operator?:
    | string
    | {
        [k: string]: any;
      }
    | null;
  fromNodeId?: string | null;
  inputs?: {
    [k: string]: any;
  } | null;
  policies?: Policies | null;
  nodes?: PlanNode[] | null;
  outputContract?: (JsonSchemaContract | FreeformContract | FacetsContract) | null;
  plan?: {
    [k: string]: any;
  } | null;
}
/**
 * The body of `POST /api/hitl/link`: a link that lets its holder decide one request.
 *
 * `for` is the name or role in which it decides; without it, that of the caller. It lasts 7 days, or
 * `expiresInSeconds`, which is 30 days at most.
 */
export interface LinkBody {
  runId?: string | null;
  requestId: string;
  expiresInSeconds?: number | null;
  for?: string | null;
}
/**
 * The body of `POST /api/hitl/remove`: remove a request that needs no answer any more.
 *
 * Without `requestId` it is the one that is open in the run, or in the thread.
 */
export interface HitlRemoveBody {
  runId?: string | null;
  threadId?: string | null;
  requestId?: string | null;
  operator?:
    | string
    | {
        [k: string]: any;
      }
    | null;
  reason?: string | null;
  note?: string | null;
  [k: string]: any;
}
/**
 * A question as the endpoints show it: with its run, and with the decision once there is one.
 */
export interface HitlRequest {
  requestId: string;
  kind: "approval" | "clarify" | "choice";
  question: string;
  options?: HitlOption[];
  allowFreeForm?: boolean;
  urgency?: "low" | "normal" | "high";
  additionalContext?: any;
  pendingOutput?: any;
  expiresAt?: string | null;
  originAgent?: ("strategy" | "generation" | "qa") | null;
  outputHash?: string | null;
  responseSchema?: {
    [k: string]: any;
  } | null;
  runId: string;
  threadId?: string | null;
  nodeId?: string | null;
  planVersion?: number | null;
  status?: "pending" | "resolved";
  createdAt?: string | null;
  resolvedAt?: string | null;
  decision?: ("approved" | "rejected" | "answered" | "edited" | "expired" | "removed") | null;
  operator?:
    | string
    | {
        [k: string]: any;
      }
    | null;
  note?: string | null;
  [k: string]: any;
}
/**
 * One decision. `requestId` may be left out where the body around it names the request.
 *
 * `responseType` may be left out beside `selectedOptionId`, `approved` or `freeformText`, which say as much.
 * `freeformText` is the answer of a `freeform` response, and a remark (a reason, say) beside any other. `withdraw`
 * takes a vote back. `expectedProposalId` is the `proposalId` of what was read, `expectedOutputHash` its `outputHash`:
 * the response is refused when what is proposed is something else by now.
 */
export interface HitlResponse {
  requestId?: string | null;
  responseType?: "approval" | "rejection" | "option" | "freeform" | "edit" | "withdraw";
  approved?: boolean | null;
  selectedOptionId?: string | null;
  freeformText?: string | null;
  editedOutput?: any;
  expectedProposalId?: string | null;
  expectedOutputHash?: string | null;
  [k: string]: any;
}
/**
 * The body of `POST /api/hitl/resume`, and of a message on the queue `flexrun.v1.hitl`.
 */
export interface ResumeBody {
  runId?: string | null;
  threadId?: string | null;
  requestId?: string | null;
  /**
   * @minItems 1
   * @maxItems 100
   */
  responses: HitlResponse[];
  operator?:
    | string
    | {
        [k: string]: any;
      }
    | null;
  note?: string | null;
  expectedPlanVersion?: number | null;
  [k: string]: any;
}
/**
 * The most that a run may ask for: seconds until its end, attempts at a node, nodes in its plan.
 */
export interface HouseLimits {
  deadlineSeconds?: number | null;
  maxAttempts?: number | null;
  nodes?: number | null;
}
/**
 * Rules of every request: who may decide, how many must at least, and whether authors may.
 */
export interface HouseRules {
  /**
   * @maxItems 100
   */
  approvers?: string[];
  quorum?: number;
  forbidSubmitter?: boolean;
}
/**
 * What `FLEXRUN_POLICIES` says. Everything may be left out; `{}` has no rules.
 */
export interface HousePolicy {
  requiresHitlApproval?: boolean;
  hitl?: HouseRules;
  limits?: HouseLimits;
  /**
   * @maxItems 1000
   */
  forbiddenCapabilities?: string[];
}
/**
 * A node that waits for a person's work, as `GET /api/v1/flex/tasks` shows it.
 */
export interface HumanTask {
  taskId: string;
  runId: string;
  nodeId: string;
  capabilityId: string;
  label: string;
  attempt: number;
  instructions?: string[];
  outputSchema?:
    | {
        [k: string]: any;
      }
    | boolean
    | null;
  bundle?: {
    [k: string]: any;
  };
  createdAt?: string | null;
  expiresAt?: string | null;
  [k: string]: any;
}
/**
 * The body of `POST /api/v1/flex/limits/{tenant}`: what is to hold from now on; what is not named stays.
 *
 * Without `actor` it holds for the tenant as a whole, with `*` for each of its callers, else for the one of this name.
 * Null: there is no limit, whatever FLEXRUN_LIMITS says.
 */
export interface LimitsBody {
  actor?: string | null;
  limits: {
    [k: string]: number | null;
  };
}
/**
 * The body of `POST /api/v1/flex/limits/{tenant}/unset`: what FLEXRUN_LIMITS is to decide again.
 */
export interface LimitsUnsetBody {
  actor?: string | null;
  /**
   * @minItems 1
   * @maxItems 9
   */
  names: (
    | "unfinishedRuns"
    | "runsPerMinute"
    | "bytesPerDay"
    | "openRequests"
    | "webhooks"
    | "openStreams"
    | "requestsInFlight"
    | "checksPerMinute"
    | "weight"
  )[];
}
/**
 * Text that follows the first `offset` characters of the attempt's, or JSON Patch operations (RFC 6902).
 */
export interface NodeDeltaPayload {
  attempt: number;
  offset?: number | null;
  text?: string | null;
  patch?:
    | {
        [k: string]: any;
      }[]
    | null;
  [k: string]: any;
}
/**
 * A piece of what a running attempt has made so far. It has no `id`, is no part of the log, and may be left out.
 */
export interface NodeDelta {
  type: "node_delta";
  runId: string;
  nodeId: string;
  payload: NodeDeltaPayload;
  [k: string]: any;
}
/**
 * The body of `runs/{id}/abort`, `/pause`, `/resume` and `/retry`; it may be left out altogether.
 */
export interface OperatorBody {
  reason?: string | null;
  operator?:
    | string
    | {
        [k: string]: any;
      }
    | null;
}
/**
 * `to` depends on `from`: the same thing as `dependsOn`, said for those who draw the graph.
 */
export interface PlanEdge {
  from: string;
  to: string;
}
/**
 * A plan of at most 1,000 nodes and 10,000 dependencies.
 */
export interface PlanGraph {
  version?: number;
  /**
   * @maxItems 1000
   */
  nodes: PlanNode[];
  /**
   * @maxItems 10000
   */
  edges?: PlanEdge[];
  metadata?: {
    [k: string]: any;
  };
}
/**
 * The body of `runs/{id}/policies/{policyId}/trigger`; `nodeId` is the node that the policy is to be about.
 */
export interface PolicyTriggerBody {
  reason?: string | null;
  operator?:
    | string
    | {
        [k: string]: any;
      }
    | null;
  nodeId?: string | null;
}
/**
 * The body of `runs/{id}/priority`.
 */
export interface PriorityBody {
  reason?: string | null;
  operator?:
    | string
    | {
        [k: string]: any;
      }
    | null;
  priority: "normal" | "high";
}
/**
 * One thing wrong in the request; `pointer` is a JSON pointer into its body.
 */
export interface ProblemDetail {
  pointer: string;
  code: string;
  message: string;
  [k: string]: any;
}
/**
 * What went wrong and what to do about it; `code` is for programs and never changes its meaning.
 *
 * `errors` has the first of what is wrong, and `omitted` counts the others where there are more. `statusMessage` is
 * `detail` on one line, under the name that operator screens read.
 */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  statusMessage?: string | null;
  code: string;
  /**
   * @maxItems 50
   */
  errors?: ProblemDetail[];
  omitted?: number | null;
  correlationId?: string | null;
  [k: string]: any;
}
/**
 * What is done before the run continues: requests are decided (`responses`), or a person's task is done.
 *
 * A task is named by its `nodeId`; `output` submits it, `decline` declines it. `submittedAt` is the sender's own clock
 * and counts for nothing.
 */
export interface ResumePayload {
  runId?: string | null;
  threadId?: string | null;
  requestId?: string | null;
  responses?:
    | {
        [k: string]: any;
      }[]
    | null;
  nodeId?: string | null;
  output?: any;
  decline?: TaskDecline | null;
  submittedAt?: string | null;
  operator?:
    | string
    | {
        [k: string]: any;
      }
    | null;
  note?: string | null;
  expectedPlanVersion?: number | null;
}
/**
 * Why a person will not do a task.
 */
export interface TaskDecline {
  reason: string;
  note?: string | null;
}
/**
 * The body of `POST /api/v1/flex/run.resume`, which continues a waiting run and streams the rest.
 */
export interface RunResumeBody {
  runId: string;
  expectedPlanVersion?: number | null;
  correlationId?: string | null;
  operator?:
    | string
    | {
        [k: string]: any;
      }
    | null;
  note?: string | null;
  payload?: ResumePayload | null;
}
/**
 * The body of `tasks/{id}/decline`: a person says why they will not do it.
 */
export interface TaskDeclineBody {
  reason: string;
  operator?:
    | string
    | {
        [k: string]: any;
      }
    | null;
  note?: string | null;
}
/**
 * Limits of what the attempts of a run report together, of its attempts (`nodes`), and of its replans.
 *
 * `costMicros` is money in millionths: of `currency` where one is named, else of all that is reported.
 */
export interface Budget {
  costMicros?: number | null;
  currency?: string | null;
  tokens?: number | null;
  seconds?: number | null;
  nodes?: number | null;
  replans?: number | null;
}
/**
 * Limits of the run itself. `variantCount` is read by the planner, which says what it takes.
 */
export interface Constraints {
  threadId?: string | null;
  resumeRunId?: string | null;
  requiresHitlApproval?: boolean | null;
  deadlineSeconds?: number | null;
  variantCount?: any;
  budget?: Budget | null;
}
/**
 * `condition` must hold of the output. It reads `value`: what is at `path` (a JSON pointer) in the facet.
 *
 * Without a facet the path begins at the output.
 */
export interface GoalCondition {
  facet?: string | null;
  path?: string;
  /**
   * JSON-Logic over run, plan, node, output, usage, metrics and event; or {dsl, jsonLogic}, of which the logic counts.
   */
  condition: {
    [k: string]: any;
  };
}
/**
 * Whose run this is, for lists and logs; other keys are kept.
 */
export interface Metadata {
  clientId?: string | null;
  brandId?: string | null;
  campaignId?: string | null;
  correlationId?: string | null;
  runLabel?: string | null;
  [k: string]: any;
}
/**
 * One task: `objective` and `outputContract` are required, all else has a harmless default.
 */
export interface TaskEnvelope {
  objective: string;
  inputs?: {
    [k: string]: any;
  };
  constraints?: Constraints;
  policies?: Policies;
  /**
   * @maxItems 100
   */
  specialInstructions?: string[];
  metadata?: Metadata;
  /**
   * @maxItems 20
   */
  goal_condition?: GoalCondition[];
  outputContract: JsonSchemaContract | FreeformContract | FacetsContract;
}
/**
 * The body of `tasks/{id}/submit`; the output, which may be null, is checked by the node's contract.
 */
export interface TaskSubmitBody {
  output: any;
  operator?:
    | string
    | {
        [k: string]: any;
      }
    | null;
  note?: string | null;
}
/**
 * The body of `POST /api/v1/flex/tokens`: whose token it is to be, and what it is good for.
 *
 * `roles` are those that the rules of runs name, such as `legal`, and with a `@` in front those of FLEXRUN_ROLES, such
 * as `@viewer`, which open what their scopes do. Without `expiresInSeconds` it does not expire.
 */
export interface TokenBody {
  name: string;
  /**
   * @maxItems 13
   */
  scopes?: (
    | (
        | "runs:start"
        | "runs:read"
        | "runs:payload"
        | "runs:control"
        | "hitl:respond"
        | "capabilities:write"
        | "webhooks:manage"
        | "links:make"
        | "audit:read"
        | "work:claim"
        | "admin"
      )
    | ("runs:write" | "webhooks:write")
  )[];
  /**
   * @maxItems 50
   */
  roles?: string[];
  description?: string | null;
  expiresInSeconds?: number | null;
}
/**
 * The body of `POST /api/v1/flex/webhooks`: send the events of these types to `url`, from now on.
 */
export interface WebhookBody {
  url: string;
  /**
   * @minItems 1
   */
  eventTypes: (
    | "start"
    | "plan_requested"
    | "plan_rejected"
    | "plan_generated"
    | "plan_updated"
    | "node_start"
    | "node_complete"
    | "node_error"
    | "validation_error"
    | "hitl_request"
    | "hitl_expiring"
    | "hitl_resolved"
    | "run_paused"
    | "run_resumed"
    | "priority_changed"
    | "policy_triggered"
    | "log"
    | "complete"
  )[];
  description?: string | null;
}
/**
 * The body of `work/{token}/ask`: the question, and what was used until then.
 */
export interface AskBody {
  question: string;
  /**
   * @maxItems 100
   */
  options?: HitlOption[];
  allowFreeForm?: boolean;
  additionalContext?: any;
  usage?: Usage | null;
}
/**
 * A capability that a worker can do; without `version`, in every version.
 */
export interface ServedCapability {
  id: string;
  version?: string | null;
}
/**
 * The body of `work/claim`: who asks, what it can do, how many attempts it takes, and how long it waits.
 */
export interface ClaimBody {
  workerId: string;
  /**
   * @minItems 1
   * @maxItems 1000
   */
  capabilities: ServedCapability[];
  slots?: number;
  waitSeconds?: number;
}
/**
 * The body of `work/{token}/complete`: the output, which may be null, and what was used for it.
 */
export interface CompleteBody {
  output: any;
  usage?: Usage | null;
}
/**
 * The body of `work/{token}/delta`: a piece of text, or JSON Patch operations, for those who watch.
 */
export interface DeltaBody {
  text?: string;
  /**
   * @maxItems 1000
   */
  patch?: {
    [k: string]: any;
  }[];
}
/**
 * The body of `work/{token}/fail`: the error, and what was used until then.
 */
export interface FailBody {
  error: WorkError;
  usage?: Usage | null;
}
/**
 * The body of `work/{token}/heartbeat`, which may be left out: it says nothing.
 */
export interface HeartbeatBody {}
/**
 * The body of `work/{token}/log`: a line for people.
 */
export interface LogBody {
  message: string;
  level?: "debug" | "info" | "warning" | "error";
}
/**
 * Which held work: what fits all that is said.
 */
export interface WorkSelection {
  runId?: string | null;
  queue?: string | null;
  kind?: ("plan" | "node" | "output") | ("request_expiry" | "task_expiry" | "deadline" | "policy_timeout") | null;
  worker?: string | null;
  state?: ("claimed" | "running" | "parked" | "callback") | null;
}
/**
 * The body of `work/release`: `workIds`, or all that a `filter` selects, `limit` at most.
 *
 * `dryRun` changes nothing.
 */
export interface ReleaseWorkBody {
  workIds?: string[] | null;
  filter?: WorkSelection | null;
  limit?: number;
  dryRun?: boolean;
  reason?: string | null;
  operator?:
    | string
    | {
        [k: string]: any;
      }
    | null;
}
