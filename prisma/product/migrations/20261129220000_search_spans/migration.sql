-- Takes about two minutes for a million products. Products cannot be changed meanwhile.

-- The words of a product, each behind the beginning of the product's id: the ids that begin alike were made within three
-- days. So the products that have a word can be asked for span by span, newest first, and not only all at once.
CREATE FUNCTION "search_spans"(UUID, TSVECTOR) RETURNS TSVECTOR LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
RETURN array_to_tsvector(ARRAY(
    SELECT left($1::text, 5) || '/' || word FROM unnest(tsvector_to_array($2)) AS word
));

-- What a text asks for in one of these spans: see "search_query".
CREATE FUNCTION "span_query"(TEXT, "span" TEXT) RETURNS TSQUERY LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT string_agg('''' || "span" || '/' || word || ''':*', ' & ')::tsquery
    FROM unnest(tsvector_to_array(search_words($1))) AS word
);

-- CreateIndex
CREATE INDEX "products_spans_idx" ON "products" USING GIN (search_spans("id", "words")) WITH (fastupdate = off);
