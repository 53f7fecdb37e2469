using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using Ingot.Tokenizers.Decoders;
using Ingot.Tokenizers.Models;
using Ingot.Tokenizers.Normalizers;
using Ingot.Tokenizers.Patterns;
using Ingot.Tokenizers.PreTokenizers;
using Ingot.Tokenizers.Unicode;

namespace Ingot.Tokenizers;

/// <summary>
/// Byte-level BPE (Radford et al. 2019), as in GPT-2, RoBERTa, Llama 3 and Qwen: text is cut into pre-tokens, and the bytes of each are
/// merged by the learnt pairs. Since every byte is a token, every text has ids. It is the pipeline that its parts describe; only ids
/// without offsets are found in a shorter way, over UTF-8.
/// </summary>
public sealed class ByteLevelBpeTokenizer : PipelineTokenizer
{
    /// <summary>The special token that ends a document in GPT-2's vocabulary and in those trained here.</summary>
    public const string EndOfText = "<|endoftext|>";

    private readonly BpeModel _model;
    private readonly CodePointRegex? _words; // Null for GPT-2's.
    private readonly bool _composes;
    private readonly SpecialTokens _added;
    private readonly bool[] _isPlain;
    private readonly int[] _idOfByte;
    private readonly ByteStringMap? _wholeWords;
    private readonly int[] _wholeWordIds = [];
    private readonly bool _goesByChunks; // With a regular expression that may look at every chunk by itself.
    private readonly ConcurrentStack<Encoder> _encoders = [];

    /// <summary>Makes a tokenizer of parts that it fits.</summary>
    /// <exception cref="InvalidDataException">The parts do not fit together.</exception>
    internal ByteLevelBpeTokenizer(TokenizerParts parts)
        : base(parts)
    {
        _model = (BpeModel)parts.Model;
        CutsIntoWords(parts.PreTokenizer, out _words);
        _composes = parts.Normalizer is UnicodeForm;
        _goesByChunks = _words is not null && parts.PreTokenizer!.GoesByChunks;
        _added = new SpecialTokens(parts.AddedTokens.Select(token => KeyValuePair.Create(token.Id, token.Content)));

        // Tokens that are normalized are looked for after the others; where nothing is normalized, that matters only if there are both.
        var allNormalized = parts.AddedTokens.All(token => token.Normalized);
        _isPlain = new bool[VocabularySize];
        foreach (var token in parts.AddedTokens)
        {
            _isPlain[token.Id] = token is { SingleWord: false, LStrip: false, RStrip: false } && token.Normalized == allNormalized;
        }

        _idOfByte = [.. Enumerable.Range(0, 256).Select(b => _model.Vocabulary.Find(ByteSymbols.ToSymbols([(byte)b])))];
        if (_model.Options.IgnoreMerges)
        {
            _wholeWords = new ByteStringMap();
            var ids = new List<int>();
            foreach (var (id, token) in _model.Vocabulary.Ids.Zip(_model.Vocabulary.Tokens))
            {
                if (ByteSymbols.ToBytes(token) is { } bytes)
                {
                    _wholeWords.FindOrAdd(bytes, out _);
                    ids.Add(id);
                }
            }

            _wholeWordIds = [.. ids];
        }
    }

    /// <summary>Makes GPT-2's pipeline around a vocabulary, by id, and the merges in their order.</summary>
    internal ByteLevelBpeTokenizer(byte[][] tokens, BpeMerge[] merges, IReadOnlyDictionary<int, string> specialTokens, string? endOfText)
        : this(Gpt2Parts(tokens, merges, specialTokens, endOfText))
    {
    }

    /// <summary>The special tokens by id.</summary>
    public IReadOnlyDictionary<int, string> SpecialTokens =>
        new SortedDictionary<int, string>(
            AddedTokens.Where(token => token.Special).ToDictionary(token => token.Id, token => token.Content));

    /// <summary>The bytes of every token, by id.</summary>
    internal IReadOnlyList<byte[]> Tokens =>
        [.. Enumerable.Range(0, VocabularySize).Select(id =>
            AddedTokens.Any(token => token.Id == id) ? Encoding.UTF8.GetBytes(IdToToken(id)!) : ByteLevelDecoder.Bytes(IdToToken(id)!))];

    /// <summary>The merges in the order in which they were learnt.</summary>
    internal IReadOnlyList<BpeMerge> Merges => _model.Merges;

    /// <summary>Whether a pipeline is byte-level BPE of a kind that this class is made for.</summary>
    /// <exception cref="InvalidDataException">It would be, but the vocabulary lacks a byte.</exception>
    internal static bool Fits(TokenizerParts parts)
    {
        var isByteLevel = parts.Model is BpeModel
        {
            Options: { ContinuingSubwordPrefix: null or "", EndOfWordSuffix: null or "", ByteFallback: false },
        }
            && parts.Normalizer is null or UnicodeForm { Type: "NFC" }
            && !(parts.Normalizer is not null && parts.AddedTokens.Any(token => token.Normalized))
            && parts.Decoder is ByteLevelDecoder
            && CutsIntoWords(parts.PreTokenizer, out _);
        if (!isByteLevel)
        {
            return false;
        }

        var missing = Enumerable.Range(0, 256).FirstOrDefault(b => parts.Model.Vocabulary.Find(ByteSymbols.ToSymbols([(byte)b])) < 0, -1);
        if (missing >= 0 && ((BpeModel)parts.Model).Options.UnkToken is null)
        {
            var symbol = ByteSymbols.ToSymbols([(byte)missing]);
            throw new InvalidDataException($"The vocabulary lacks the byte 0x{missing:X2} (\"{symbol}\").");
        }

        return missing < 0;
    }

    /// <inheritdoc/>
    public override void EncodeUtf8(ReadOnlySpan<byte> utf8, List<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (!_encoders.TryPop(out var encoder))
        {
            encoder = new Encoder(this);
        }

        var first = ids.Count;
        var text = utf8;
        while (_added.Find(utf8, out var at, out var length, out var id))
        {
            if (!_isPlain[id])
            {
                // It takes white space along, or depends on what is around it.
                ids.RemoveRange(first, ids.Count - first);
                base.EncodeUtf8(text, ids);
                return;
            }

            EncodeOrdinary(encoder, utf8[..at], ids);
            ids.Add(id);
            utf8 = utf8[(at + length)..];
        }

        EncodeOrdinary(encoder, utf8, ids);
        _encoders.Push(encoder);
    }

    private static TokenizerParts Gpt2Parts(
        byte[][] tokens, BpeMerge[] merges, IReadOnlyDictionary<int, string> specialTokens, string? endOfText)
    {
        var names = tokens.Select((bytes, id) => specialTokens.GetValueOrDefault(id) ?? ByteSymbols.ToSymbols(bytes));
        return new TokenizerParts
        {
            AddedTokens = [.. specialTokens.Select(token => new AddedToken(token.Key, token.Value) { Special = true })],
            PreTokenizer = new ByteLevel(addPrefixSpace: false, trimOffsets: true, useRegex: true),
            Model = new BpeModel(Vocabulary.Of([.. names]), merges, new BpeModelOptions()),
            Decoder = new ByteLevelDecoder(addPrefixSpace: false, trimOffsets: true, useRegex: true),
            Roles = new SpecialTokenRoles { Bos = endOfText, Eos = endOfText, Unk = endOfText },
        };
    }

    // How words are cut: by GPT-2's scanner (null), or by one regular expression before the bytes. False for anything else.
    private static bool CutsIntoWords(PreTokenizer? preTokenizer, out CodePointRegex? regex)
    {
        regex = preTokenizer is PreTokenizerSequence
        {
            Parts:
            [
                Split { Behavior: SplitBehavior.Isolated, Invert: false } split, ByteLevel { UseRegex: false, AddPrefixSpace: false },
            ],
        }
            ? split.Pattern.Regex
            : null;
        return regex is not null || preTokenizer is ByteLevel { UseRegex: true, AddPrefixSpace: false };
    }

    private void EncodeOrdinary(Encoder encoder, ReadOnlySpan<byte> utf8, List<int> ids)
    {
        if (!_goesByChunks)
        {
            EncodeWhole(encoder.Words, utf8, ids);
            return;
        }

        for (int start = 0, end; start < utf8.Length; start = end)
        {
            end = SpacedChunks.Next(utf8, start);
            var chunk = utf8[start..end];
            if (chunk.Length > Remembered<int>.Longest)
            {
                EncodeWhole(encoder.Words, chunk, ids);
            }
            else
            {
                ids.AddRange(encoder.Chunks.TryGet(chunk, out var known) ? known : encoder.Chunks.Add(chunk, encoder.Append));
            }
        }
    }

    private void EncodeWhole(BpeWordEncoder encoder, ReadOnlySpan<byte> utf8, List<int> ids)
    {
        if (_composes && utf8.ContainsAnyExceptInRange<byte>(0, 0x7F))
        {
            utf8 = Encoding.UTF8.GetBytes(UnicodeNormalization.Normalize(Encoding.UTF8.GetString(utf8), NormalizationForm.FormC));
        }

        if (_words is not null)
        {
            var done = 0;
            foreach (var (start, end) in _words.Find(utf8))
            {
                EncodeWord(utf8[done..start]);
                EncodeWord(utf8[start..end]);
                done = end;
            }

            EncodeWord(utf8[done..]);
            return;
        }

        for (var start = 0; start < utf8.Length;)
        {
            var end = Gpt2PreTokenizer.Next(utf8, start);
            encoder.Encode(utf8[start..end], ids);
            start = end;
        }

        void EncodeWord(ReadOnlySpan<byte> word)
        {
            if (word.Length > 0)
            {
                encoder.Encode(word, ids);
            }
        }
    }

    // What one thread remembers.
    private sealed class Encoder
    {
        private const int RememberedBytes = 4 << 20;

        public Encoder(ByteLevelBpeTokenizer tokenizer)
        {
            Words = new BpeWordEncoder(tokenizer._idOfByte, tokenizer._model.Table, tokenizer._wholeWords, tokenizer._wholeWordIds);
            Append = (chunk, ids) => tokenizer.EncodeWhole(Words, chunk, ids);
        }

        public BpeWordEncoder Words { get; }

        public Remembered<int> Chunks { get; } = new(RememberedBytes);

        public Remembered<int>.Appender Append { get; }
    }
}
