"""What a person's standing policy gives a hospital, inside statements that are written by hand."""

from consent.models import ITEM_KINDS
from core import statements

# Of ``person_id`` at ``hospital_id``: one row of choice, kinds (NULL: all of them) and the hash of the notice. Asked at
# every scan. Of several records of one person the newest word counts.
STANDING = statements.compose(
    """
SELECT coalesce(policy.by_hospital ->> %(hospital_id)s::text, policy.treating, 'yes') AS choice,
    CASE WHEN cardinality(policy.excluded_kinds) > 0 THEN ARRAY(
        SELECT kind FROM unnest(ARRAY[{kinds}]) kind WHERE kind <> ALL (policy.excluded_kinds)
    ) END AS kinds,
    coalesce(policy.notice_hash, (
        SELECT hash FROM notice_texts WHERE kind = 'standing_policy' ORDER BY published_at DESC LIMIT 1
    )) AS notice_hash
FROM (VALUES (true)) always (is_true) LEFT JOIN LATERAL (
    SELECT said.*
    FROM persons own JOIN persons same ON same.root_id = own.root_id JOIN sharing_policies said
        ON said.person_id = same.id
    WHERE own.id = %(person_id)s
    ORDER BY said.changed_at DESC, said.version DESC LIMIT 1
) policy ON true
""",
    # In the order in which every grant has them.
    kinds=", ".join(repr(kind) for kind in sorted(ITEM_KINDS)),
)
