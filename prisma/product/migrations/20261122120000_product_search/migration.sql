-- The words of a text, without regard for case, diacritics and punctuation. PostgreSQL's own parser takes "usb/hdmi" for
-- a path and "iphone-13" for a negative number.
CREATE FUNCTION "search_words"(TEXT) RETURNS TSVECTOR LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
RETURN to_tsvector('pg_catalog.simple', regexp_replace(
    translate(regexp_replace(normalize(lower($1), NFD), '[\u0300-\u036f]+', '', 'g'), 'đ', 'd'),
    '[[:punct:]]+', ' ', 'g'
));

-- CreateIndex
CREATE INDEX "products_search_idx" ON "products" USING GIN (search_words("name" || ' ' || "brand_name" || ' ' || "description"));
