-- PostgreSQL writes the body of a function with named and unnamed parameters so that it cannot be read again: a dump of
-- this database could not be restored.
CREATE OR REPLACE FUNCTION "span_query"("searched" TEXT, "span" TEXT) RETURNS TSQUERY LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT string_agg('''' || "span" || '/' || word || ''':*', ' & ')::tsquery
    FROM unnest(tsvector_to_array(search_words("searched"))) AS word
);
