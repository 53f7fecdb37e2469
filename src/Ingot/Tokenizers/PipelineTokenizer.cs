using System.Buffers;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Ingot.Tokenizers.Decoders;
using Ingot.Tokenizers.Files;
using Ingot.Tokenizers.Models;
using Ingot.Tokenizers.PostProcessors;
using Ingot.Tokenizers.Unicode;

namespace Ingot.Tokenizers;

/// <summary>
/// A tokenizer as Hugging Face's libraries describe it: added tokens, normalizer, pre-tokenizer, model, post-processor, decoder. It gives
/// the ids that those libraries give.
/// </summary>
public class PipelineTokenizer : Tokenizer
{
    private readonly string[] _tokens;
    private readonly AddedTokenSearch _search;
    private readonly Dictionary<string, AddedToken> _added;
    private readonly HashSet<int> _special;
    private readonly Lazy<string> _fingerprint;
    private readonly Lazy<byte[][]?> _bytes;
    private readonly PipelineTokenizer? _target;
    private readonly SpecialTokens? _verbatim; // Null where text does not go by chunks.
    private readonly bool[] _isPlain = [];
    private readonly ConcurrentStack<ChunkEncoder> _chunkEncoders = [];

    /// <exception cref="InvalidDataException">The parts do not fit together.</exception>
    internal PipelineTokenizer(TokenizerParts parts)
    {
        Parts = parts;
        _tokens = parts.TokensById();
        _added = parts.AddedTokens.ToDictionary(token => token.Content, StringComparer.Ordinal);
        _special = [.. parts.AddedTokens.Where(token => token.Special).Select(token => token.Id)];
        _search = new AddedTokenSearch(parts.AddedTokens, parts.Normalizer);
        _target = parts.Target is null ? null : TokenizerFolder.Make(parts.Target);
        _fingerprint = new Lazy<string>(() => Convert.ToHexStringLower(SHA256.HashData(
            [.. TokenizerJson.IdsPart(parts), .. parts.Target is null ? [] : TokenizerJson.IdsPart(parts.Target)])));
        _bytes = new Lazy<byte[][]?>(MakeBytes);
        if (parts.PreTokenizer?.GoesByChunks == true && parts.Normalizer?.GoesByChunks != false
            && parts.AddedTokens.All(token => !token.Normalized && token.Content.Length > 0))
        {
            _verbatim = new SpecialTokens(parts.AddedTokens.Select(token => KeyValuePair.Create(token.Id, token.Content)));
            _isPlain = new bool[_tokens.Length];
            foreach (var token in parts.AddedTokens)
            {
                _isPlain[token.Id] = token is { SingleWord: false, LStrip: false, RStrip: false };
            }
        }

        foreach (var (token, id) in parts.PostProcessor?.SpecialTokens ?? [])
        {
            if (TokenToId(token) != id)
            {
                throw new InvalidDataException(
                    $"The post-processor adds \"{token}\" with the id {id}, which the vocabulary does not know so.");
            }
        }
    }

    /// <inheritdoc/>
    public override int VocabularySize => _tokens.Length;

    /// <inheritdoc/>
    /// <remarks>The end of a text (<see cref="Tokenizer.EosId"/>), or else the separator (<see cref="Tokenizer.SepId"/>).</remarks>
    public override int? EndOfTextId => EosId ?? SepId;

    /// <inheritdoc/>
    public override string Fingerprint => _fingerprint.Value;

    /// <inheritdoc/>
    public override Tokenizer ForTargets => _target ?? (Tokenizer)this;

    /// <inheritdoc/>
    public override SpecialTokenRoles Roles => Parts.Roles;

    /// <inheritdoc/>
    public override IReadOnlyList<AddedToken> AddedTokens => Parts.AddedTokens;

    /// <summary>What the tokenizer is made of.</summary>
    internal TokenizerParts Parts { get; }

    /// <summary>Whether every token has its bytes, so that tokens can be decoded one by one.</summary>
    internal override bool DecodesByToken => _bytes.Value is not null;

    /// <inheritdoc/>
    public override int? TokenToId(string token)
    {
        ArgumentNullException.ThrowIfNull(token);
        return _added.TryGetValue(token, out var added) ? added.Id : Parts.Model.Vocabulary.Find(token) is >= 0 and var id ? id : null;
    }

    /// <inheritdoc/>
    public override string? IdToToken(int id) => (uint)id < (uint)_tokens.Length ? _tokens[id] : null;

    /// <inheritdoc/>
    public override void EncodeUtf8(ReadOnlySpan<byte> utf8, List<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (GoesByChunks(utf8))
        {
            EncodeByChunks(utf8, (_, tokens, id) =>
            {
                foreach (var token in tokens)
                {
                    ids.Add(token.Id);
                }

                if (id >= 0)
                {
                    ids.Add(id);
                }
            });
            return;
        }

        var words = new List<AlignedText>();
        var tokens = new List<WordToken>();
        foreach (var piece in _search.Cut(AlignedText.Of(Encoding.UTF8.GetString(utf8))))
        {
            if (piece.Token is not null)
            {
                ids.Add(piece.Token.Id);
                continue;
            }

            words.Clear();
            CutIntoWords(piece.Text, words);
            foreach (var word in words)
            {
                tokens.Clear();
                Parts.Model.Tokenize(word.ToUtf8(), tokens);
                foreach (var token in tokens)
                {
                    ids.Add(token.Id);
                }
            }
        }
    }

    /// <inheritdoc/>
    public override TokenEncoding Tokenize(string text, string? pair = null, EncodeOptions? options = null) =>
        TokenizeBatch([(text, pair)], options)[0];

    /// <inheritdoc/>
    public override IReadOnlyList<TokenEncoding> TokenizeBatch(
        IEnumerable<(string Text, string? Pair)> texts, EncodeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(texts);
        options ??= new EncodeOptions();
        var encodings = texts.Select(text =>
        {
            ArgumentNullException.ThrowIfNull(text.Text, nameof(texts));
            var first = Tokenize(text.Text, 0);
            var second = text.Pair is null ? null : Tokenize(text.Pair, 1);
            int[]?[] placesOf = [CodePoints.PlacesInChars(text.Text), CodePoints.PlacesInChars(text.Pair)];
            return EncodingAssembly.Assemble(first, second, Parts.PostProcessor, options, Finish);

            TokenEncoding Finish(EncodedToken[] tokens)
            {
                var encoding = new TokenEncoding(tokens.Length);
                foreach (var (i, token) in tokens.Index())
                {
                    var places = token.Sequence < 0 ? null : placesOf[token.Sequence];
                    encoding.Ids[i] = token.Id;
                    encoding.TypeIds[i] = token.TypeId;
                    encoding.AttentionMask[i] = 1;
                    encoding.SpecialTokensMask[i] = token.Sequence < 0 ? 1 : 0;
                    encoding.Offsets[i] = places is null ? (token.Start, token.End) : (places[token.Start], places[token.End]);
                    encoding.WordIds[i] = token.Word < 0 ? null : token.Word;
                    encoding.SequenceIds[i] = token.Sequence < 0 ? null : token.Sequence;
                    encoding.Tokens[i] = _tokens[token.Id];
                }

                return encoding;
            }
        }).ToArray();
        return options.Padding is { } padding ? EncodingAssembly.Pad(encodings, padding, this) : encodings;
    }

    /// <inheritdoc/>
    public override void DecodeUtf8(ReadOnlySpan<int> ids, IBufferWriter<byte> utf8)
    {
        ArgumentNullException.ThrowIfNull(utf8);
        if (_bytes.Value is not { } bytes)
        {
            utf8.Write(Encoding.UTF8.GetBytes(DecodeText(ids)));
            return;
        }

        foreach (var id in ids)
        {
            utf8.Write((uint)id < (uint)bytes.Length ? bytes[id] : throw UnknownId(id));
        }
    }

    /// <inheritdoc/>
    public override string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        if (!skipSpecialTokens)
        {
            return Decode(ids);
        }

        var kept = new List<int>(ids.Length);
        foreach (var id in ids)
        {
            if (!_special.Contains(id))
            {
                kept.Add(id);
            }
        }

        return Decode([.. kept]);
    }

    /// <inheritdoc/>
    public override Tokenizer WithSpecialTokens(params IEnumerable<string> tokens)
    {
        var added = Parts.AddedTokens.ToList();
        var next = VocabularySize;
        foreach (var token in tokens)
        {
            if (string.IsNullOrEmpty(token))
            {
                throw new ArgumentException("A special token is empty.", nameof(tokens));
            }

            var place = added.FindIndex(known => known.Content == token);
            if (place >= 0)
            {
                added[place] = added[place] with { Special = true };
            }
            else
            {
                added.Add(new AddedToken(TokenToId(token) ?? next++, token) { Special = true });
            }
        }

        return TokenizerFolder.Make(Parts with
        {
            AddedTokens = added,
            Target = Parts.Target is null ? null : Parts.Target with { AddedTokens = added },
        });
    }

    /// <inheritdoc/>
    public override Tokenizer WithRoles(SpecialTokenRoles roles)
    {
        ArgumentNullException.ThrowIfNull(roles);
        var tokens = roles.All.Select(role => role.Token).OfType<string>().Distinct();
        return TokenizerFolder.Make(((PipelineTokenizer)WithSpecialTokens(tokens)).Parts with { Roles = roles });
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, string Value)> Describe()
    {
        yield return ("tokens", $"{VocabularySize:#,0}, {AddedTokens.Count:#,0} of them added, {_special.Count:#,0} special");
        foreach (var (name, token) in Roles.All)
        {
            if (token is not null)
            {
                yield return (name, $"{token} ({TokenToId(token)})");
            }
        }

        const int Shown = 8;
        foreach (var token in AddedTokens.OrderBy(token => token.Id).Take(Shown))
        {
            string[] flags =
                [
                    .. token.Special ? ["special"] : Array.Empty<string>(), .. token.Normalized ? ["normalized"] : Array.Empty<string>(),
                    .. token.SingleWord ? ["single_word"] : Array.Empty<string>(), .. token.LStrip ? ["lstrip"] : Array.Empty<string>(),
                    .. token.RStrip ? ["rstrip"] : Array.Empty<string>(),
                ];
            yield return ("added token", $"{token.Content} ({token.Id}{string.Concat(flags.Select(flag => $", {flag}"))})");
        }

        if (AddedTokens.Count > Shown)
        {
            yield return ("added token", $"... and {AddedTokens.Count - Shown:#,0} more");
        }

        yield return ("normalizer", Components.ToText(Parts.Normalizer));
        yield return ("pre_tokenizer", Components.ToText(Parts.PreTokenizer));
        yield return ("model", Parts.Model.Summary);
        yield return ("post_processor", Components.ToText(Parts.PostProcessor));
        yield return ("decoder", Components.ToText(Parts.Decoder));
        yield return ("fingerprint", Fingerprint);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// The files: tokenizer.json and tokenizer_config.json; for byte-level BPE with GPT-2's pre-tokens also vocab.json and merges.txt.
    /// </remarks>
    public override void Save(string folder) => TokenizerFolder.Save(Parts, folder);

    // Takes the tokens of a chunk, or an added token, which stands for itself.
    private delegate void ChunkTaker(ReadOnlySpan<byte> utf8, ReadOnlySpan<ChunkToken> tokens, int addedId);

    // Whether a text may be encoded chunk by chunk. Added tokens that take white space along, or depend on what is around them, need the
    // whole.
    private bool GoesByChunks(ReadOnlySpan<byte> utf8)
    {
        if (_verbatim is null)
        {
            return false;
        }

        while (_verbatim.Find(utf8, out var at, out var length, out var id))
        {
            if (!_isPlain[id])
            {
                return false;
            }

            utf8 = utf8[(at + length)..];
        }

        return true;
    }

    private void EncodeByChunks(ReadOnlySpan<byte> utf8, ChunkTaker take)
    {
        if (!_chunkEncoders.TryPop(out var encoder))
        {
            encoder = new ChunkEncoder(EncodeChunk);
        }

        while (_verbatim!.Find(utf8, out var at, out var length, out var id))
        {
            Ordinary(utf8[..at]);
            take(utf8.Slice(at, length), [], id);
            utf8 = utf8[(at + length)..];
        }

        Ordinary(utf8);
        _chunkEncoders.Push(encoder);

        void Ordinary(ReadOnlySpan<byte> text)
        {
            for (int start = 0, end; start < text.Length; start = end)
            {
                end = SpacedChunks.Next(text, start);
                take(text[start..end], encoder.Encode(text[start..end]), -1);
            }
        }
    }

    private void EncodeChunk(AlignedText chunk, List<ChunkToken> result)
    {
        var text = Parts.Normalizer?.Apply(chunk) ?? chunk;
        var words = new List<AlignedText>();
        if (text.Length > 0)
        {
            CutIntoWords(text, words);
        }

        var tokens = new List<WordToken>();
        foreach (var (number, word) in words.Index())
        {
            tokens.Clear();
            AddTokens(word, number, tokens, result);
        }
    }

    // Bytes become places in the word, those become places in the text.
    private void AddTokens(AlignedText word, int number, List<WordToken> tokens, List<ChunkToken> result)
    {
        var utf8 = word.ToUtf8();
        Parts.Model.Tokenize(utf8, tokens);
        var isAscii = utf8.Length == word.Length;
        var characterOf = isAscii ? [] : new int[utf8.Length];
        for (int i = 0, character = -1; i < characterOf.Length; i++)
        {
            characterOf[i] = (utf8[i] & 0xC0) == 0x80 ? character : ++character;
        }

        foreach (var token in tokens)
        {
            var (first, last) = isAscii ? (token.Start, token.End - 1) : (characterOf[token.Start], characterOf[token.End - 1]);
            var (start, end) = word.OriginalRange(first, last + 1);
            result.Add(new ChunkToken(token.Id, start, end, number));
        }
    }

    // The tokens of a text with their places, before truncation and special tokens.
    private EncodedToken[] Tokenize(string text, int sequence)
    {
        var result = new List<EncodedToken>();
        var utf8Text = Encoding.UTF8.GetBytes(text);
        if (GoesByChunks(utf8Text))
        {
            var (place, firstWord) = (0, 0);
            EncodeByChunks(utf8Text, (utf8, tokens, id) =>
            {
                foreach (var token in tokens)
                {
                    result.Add(new EncodedToken(
                        token.Id, _tokens[token.Id], place + token.Start, place + token.End, sequence, firstWord + token.Word, sequence));
                }

                var length = CodePoints.CountUtf8(utf8);
                if (id >= 0)
                {
                    result.Add(new EncodedToken(id, _tokens[id], place, place + length, sequence, firstWord, sequence));
                }

                // A word without tokens would still be one, but every word has some.
                firstWord += id >= 0 ? 1 : tokens.Length > 0 ? tokens[^1].Word + 1 : 0;
                place += length;
            });
            return [.. result];
        }

        var words = new List<AlignedText>();
        var tokens = new List<WordToken>();
        var found = new List<ChunkToken>();
        var word = 0;
        foreach (var piece in _search.Cut(AlignedText.Of(text)))
        {
            if (piece.Token is not null)
            {
                var (start, end) = piece.Text.OriginalRange(0, piece.Text.Length);
                result.Add(new EncodedToken(piece.Token.Id, piece.Text.ToString(), start, end, sequence, word++, sequence));
                continue;
            }

            words.Clear();
            CutIntoWords(piece.Text, words);
            foreach (var cut in words)
            {
                tokens.Clear();
                found.Clear();
                AddTokens(cut, word++, tokens, found);
                foreach (var token in found)
                {
                    result.Add(new EncodedToken(token.Id, _tokens[token.Id], token.Start, token.End, sequence, token.Word, sequence));
                }
            }
        }

        return [.. result];
    }

    private void CutIntoWords(AlignedText text, List<AlignedText> words)
    {
        if (Parts.PreTokenizer is null)
        {
            words.Add(text);
        }
        else
        {
            Parts.PreTokenizer.Cut(text, words);
        }
    }

    private string DecodeText(ReadOnlySpan<int> ids)
    {
        var tokens = new List<string>(ids.Length);
        foreach (var id in ids)
        {
            tokens.Add(IdToToken(id) ?? throw UnknownId(id));
        }

        return Parts.Decoder is { } decoder ? string.Concat(decoder.Decode(tokens)) : string.Join(' ', tokens);
    }

    // With the byte-level decoder, and where tokens are put together as they are. An added token is text, whatever its characters.
    private byte[][]? MakeBytes()
    {
        Func<string, byte[]>? bytesOf = Parts.Decoder switch
        {
            ByteLevelDecoder => ByteLevelDecoder.Bytes,
            Fuse => Encoding.UTF8.GetBytes,
            _ => null,
        };
        return bytesOf is null ? null
            : [.. _tokens.Select(token => _added.ContainsKey(token) ? Encoding.UTF8.GetBytes(token) : bytesOf(token))];
    }
}
