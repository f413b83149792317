-- tokens/any: whether there is a token, or ever was one.
select exists (select from flex_tokens)
