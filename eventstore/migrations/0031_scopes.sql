-- Scopes that a token had by other names, or by the wider meaning of its own, are named beside them. The old names stay:
-- a gateway of the release before reads these rows while the others are being replaced.

alter table flex_tokens disable trigger flex_tokens_keep;

update flex_tokens t
set scopes = t.scopes || array(
  select meant.scope
  from (values
    (1, 'runs:write', 'runs:start'), (2, 'runs:write', 'runs:control'), (3, 'webhooks:write', 'webhooks:manage'),
    (4, 'hitl:respond', 'links:make'), (5, 'runs:read', 'runs:payload'), (6, 'runs:write', 'runs:payload'),
    (7, 'hitl:respond', 'runs:payload'), (8, 'webhooks:write', 'runs:payload')
  ) as meant (place, old, scope)
  where meant.old = any (t.scopes)
  group by meant.scope
  order by min(meant.place)
)
where t.scopes && array['runs:read', 'runs:write', 'hitl:respond', 'webhooks:write'];

alter table flex_tokens enable trigger flex_tokens_keep;

-- A token may have what its roles open, and no scope of its own.
alter table flex_tokens drop constraint flex_tokens_scopes;
alter table flex_tokens add constraint flex_tokens_scopes check (cardinality(scopes) > 0 or cardinality(roles) > 0);
