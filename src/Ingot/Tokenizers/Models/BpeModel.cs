using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Ingot.Tokenizers.Files;

namespace Ingot.Tokenizers.Models;

/// <summary>How a BPE model treats what is not in its vocabulary, and the edges of words.</summary>
internal sealed record BpeModelOptions
{
    /// <summary>Stands for characters that the vocabulary lacks.</summary>
    public string? UnkToken { get; init; }

    /// <summary>Is written before every character but a word's first.</summary>
    public string? ContinuingSubwordPrefix { get; init; }

    /// <summary>Is written behind a word's last character.</summary>
    public string? EndOfWordSuffix { get; init; }

    /// <summary>One token for several unknown characters that follow each other.</summary>
    public bool FuseUnk { get; init; }

    /// <summary>Unknown characters become tokens of their bytes, &lt;0x00&gt; … &lt;0xFF&gt;, if those are there.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>A word that is a token becomes that token, whether or not the merges lead there.</summary>
    public bool IgnoreMerges { get; init; }
}

/// <summary>
/// Byte-pair encoding (Sennrich et al. 2016): the characters of a word are merged by the learnt pairs, always the earliest learnt of those
/// that apply.
/// </summary>
internal sealed class BpeModel : TokenModel
{
    private readonly BpeMerges _table;
    private readonly ConcurrentStack<Worker> _workers = [];
    private readonly bool _cutsAtMarks;
    private readonly int _unkId;
    private readonly int[] _idOfByte; // Of the byte fallback; -1 where there is none.
    private readonly byte[] _prefix;
    private readonly byte[] _suffix;

    public BpeModel(Vocabulary vocabulary, BpeMerge[] merges, BpeModelOptions options)
    {
        (Vocabulary, Merges, Options) = (vocabulary, merges, options);
        _table = new BpeMerges(merges);
        _unkId = options.UnkToken is null ? -1 : vocabulary.Find(options.UnkToken);
        _idOfByte = [.. Enumerable.Range(0, 256).Select(b => options.ByteFallback ? vocabulary.Find($"<0x{b:X2}>") : -1)];
        _prefix = Encoding.UTF8.GetBytes(options.ContinuingSubwordPrefix ?? "");
        _suffix = Encoding.UTF8.GetBytes(options.EndOfWordSuffix ?? "");
        _cutsAtMarks = _prefix.Length + _suffix.Length == 0 && !options.IgnoreMerges && vocabulary.Find(Mark) >= 0
            && merges.All(merge => Encoding.UTF8.GetBytes(vocabulary[merge.Result]!) is var token && CutAfter(token) == token.Length);
    }

    private static ReadOnlySpan<byte> Mark => "▁"u8;

    public override string Type => "BPE";

    public override Vocabulary Vocabulary { get; }

    public override string Summary =>
        $"BPE, {Vocabulary.Count:#,0} tokens, {Merges.Length:#,0} merges" + (Options.UnkToken is { } unk ? $", unknown {unk}" : "")
        + (Options.ByteFallback ? ", byte fallback" : "") + (Options.FuseUnk ? ", unknowns fused" : "")
        + (Options.IgnoreMerges ? ", whole words first" : "")
        + (Options.ContinuingSubwordPrefix is { Length: > 0 } prefix ? $", prefix {prefix}" : "")
        + (Options.EndOfWordSuffix is { Length: > 0 } suffix ? $", suffix {suffix}" : "");

    public BpeModelOptions Options { get; }

    /// <summary>The merges in the order in which they were learnt.</summary>
    public BpeMerge[] Merges { get; }

    public BpeMerges Table => _table;

    public new static BpeModel Read(JsonPart json)
    {
        if (json.Optional("dropout") is { } dropout && dropout.AsNumber() != 0)
        {
            throw dropout.Error("is not 0: random merges are not supported");
        }

        var options = new BpeModelOptions
        {
            UnkToken = json.Optional("unk_token")?.AsText(),
            ContinuingSubwordPrefix = json.Optional("continuing_subword_prefix")?.AsText(),
            EndOfWordSuffix = json.Optional("end_of_word_suffix")?.AsText(),
            FuseUnk = json.Flag("fuse_unk", false),
            ByteFallback = json.Flag("byte_fallback", false),
            IgnoreMerges = json.Flag("ignore_merges", false),
        };
        var vocabulary = Vocabulary.Read(json.Required("vocab"));
        if (options.UnkToken is { } unk && vocabulary.Find(unk) < 0)
        {
            throw json.Required("unk_token").Error($"\"{unk}\" is not in the vocabulary");
        }

        var merges = json.Required("merges").Items().Select(item =>
        {
            var (left, right) = ReadMerge(item);
            return Merge(vocabulary, left, right, options.ContinuingSubwordPrefix) ?? throw item.Error(Problem(vocabulary, left, right));
        });
        return new BpeModel(vocabulary, [.. merges], options);
    }

    /// <summary>The merge of two tokens; null if one of them or the result is not in the vocabulary.</summary>
    public static BpeMerge? Merge(Vocabulary vocabulary, string left, string right, string? prefix = null)
    {
        var rest = prefix is { Length: > 0 } && right.StartsWith(prefix, StringComparison.Ordinal) ? right[prefix.Length..] : right;
        var merge = new BpeMerge(vocabulary.Find(left), vocabulary.Find(right), vocabulary.Find(left + rest));
        return left.Length > 0 && right.Length > 0 && merge is { Left: >= 0, Right: >= 0, Result: >= 0 } ? merge : null;
    }

    /// <summary>Why there is no merge of two tokens.</summary>
    public static string Problem(Vocabulary vocabulary, string left, string right)
    {
        var missing = left.Length == 0 || vocabulary.Find(left) < 0 ? left
            : right.Length == 0 || vocabulary.Find(right) < 0 ? right
            : left + right;
        return $"the merge of \"{left}\" and \"{right}\" needs \"{missing}\", which is not in the vocabulary";
    }

    /// <summary>The two tokens of a merge that is written with a space between them; null if it is not.</summary>
    public static (string Left, string Right)? SplitMerge(string merge) =>
        merge.Split(' ') is [{ Length: > 0 } left, { Length: > 0 } right] ? (left, right) : null;

    public override void Tokenize(ReadOnlySpan<byte> word, List<WordToken> tokens)
    {
        if (Options.IgnoreMerges && Vocabulary.Find(word) is >= 0 and var whole)
        {
            tokens.Add(new WordToken(whole, 0, word.Length));
            return;
        }

        if (!_workers.TryPop(out var worker))
        {
            worker = new Worker(this);
        }

        if (_cutsAtMarks)
        {
            for (int start = 0, length; start < word.Length; start += length)
            {
                length = CutAfter(word[start..]);
                worker.AddPart(word.Slice(start, length), start, tokens);
            }
        }
        else
        {
            Merge(worker.Merger, word, tokens);
        }

        _workers.Push(worker);
    }

    // Where no merge makes a token with SentencePiece's mark behind another character, text is cut before such marks: Llama 2 has whole
    // texts as words. This is how long the first part is.
    private static int CutAfter(ReadOnlySpan<byte> word)
    {
        for (var at = 1; word[at..].IndexOf(Mark) is var next and >= 0; at += next + Mark.Length)
        {
            var mark = at + next;
            if (!word[..mark].EndsWith(Mark))
            {
                return mark;
            }
        }

        return word.Length;
    }

    private void Merge(BpeMerger merger, ReadOnlySpan<byte> word, List<WordToken> tokens)
    {
        // As many symbols as bytes at most. The bytes of a character that fell back to them all have its place.
        var symbols = merger.Reserve(word.Length);
        var places = new (int Start, int End)[word.Length];
        var count = Symbols(word, symbols, places);
        if (count > 0)
        {
            merger.Merge(count);
            for (int i = 0, next; i >= 0; i = next)
            {
                next = merger.Next(i);
                tokens.Add(new WordToken(merger.Symbol(i), places[i].Start, places[(next < 0 ? count : next) - 1].End));
            }
        }
    }

    public override void WriteMembers(Utf8JsonWriter json)
    {
        json.WriteNull("dropout");
        json.WriteString("unk_token", Options.UnkToken);
        json.WriteString("continuing_subword_prefix", Options.ContinuingSubwordPrefix);
        json.WriteString("end_of_word_suffix", Options.EndOfWordSuffix);
        json.WriteBoolean("fuse_unk", Options.FuseUnk);
        json.WriteBoolean("byte_fallback", Options.ByteFallback);
        json.WriteBoolean("ignore_merges", Options.IgnoreMerges);
        Vocabulary.Write(json);

        // As strings where no token has a space: every version of the libraries reads those.
        var asPairs = Vocabulary.Tokens.Any(token => token.Contains(' ', StringComparison.Ordinal));
        json.WriteStartArray("merges");
        foreach (var merge in Merges)
        {
            if (asPairs)
            {
                json.WriteStartArray();
                json.WriteStringValue(Vocabulary[merge.Left]);
                json.WriteStringValue(Vocabulary[merge.Right]);
                json.WriteEndArray();
            }
            else
            {
                json.WriteStringValue($"{Vocabulary[merge.Left]} {Vocabulary[merge.Right]}");
            }
        }

        json.WriteEndArray();
    }

    private static (string Left, string Right) ReadMerge(JsonPart item)
    {
        if (!item.IsArray)
        {
            return SplitMerge(item.AsText())
                ?? throw item.Error($"the merge \"{item.AsText()}\" is not two tokens with a space between them");
        }

        return item.Items().ToArray() is [var left, var right]
            ? (left.AsText(), right.AsText())
            : throw item.Error($"the merge {item.AsJson()} is not two tokens");
    }

    // A word's symbols before the merges.
    private int Symbols(ReadOnlySpan<byte> word, Span<int> symbols, (int Start, int End)[] places)
    {
        Span<byte> scratch = _prefix.Length + _suffix.Length > 0 ? new byte[_prefix.Length + 4 + _suffix.Length] : default;
        var count = 0;
        var wasUnknown = false;
        for (int at = 0, length; at < word.Length; at += length)
        {
            Rune.DecodeFromUtf8(word[at..], out _, out length);
            var symbol = word.Slice(at, length);
            if (scratch.Length > 0)
            {
                symbol = WithAffixes(symbol, isFirst: at == 0, isLast: at + length == word.Length, scratch);
            }

            var id = Vocabulary.Find(symbol);
            if (id < 0 && Options.ByteFallback && HasBytes(symbol))
            {
                wasUnknown = false;
                foreach (var b in word.Slice(at, length))
                {
                    places[count] = (at, at + length);
                    symbols[count++] = _idOfByte[b];
                }

                continue;
            }

            if (id < 0 && _unkId < 0)
            {
                throw Unknown(word.Slice(at, length));
            }

            if (id >= 0 || !wasUnknown || !Options.FuseUnk)
            {
                places[count] = (at, at + length);
                symbols[count++] = id >= 0 ? id : _unkId;
            }
            else
            {
                places[count - 1].End = at + length;
            }

            wasUnknown = id < 0;
        }

        return count;
    }

    private ReadOnlySpan<byte> WithAffixes(ReadOnlySpan<byte> symbol, bool isFirst, bool isLast, Span<byte> scratch)
    {
        var length = 0;
        if (!isFirst)
        {
            _prefix.CopyTo(scratch);
            length += _prefix.Length;
        }

        symbol.CopyTo(scratch[length..]);
        length += symbol.Length;
        if (isLast)
        {
            _suffix.CopyTo(scratch[length..]);
            length += _suffix.Length;
        }

        return scratch[..length];
    }

    private bool HasBytes(ReadOnlySpan<byte> symbol)
    {
        foreach (var b in symbol)
        {
            if (_idOfByte[b] < 0)
            {
                return false;
            }
        }

        return true;
    }

    // What one thread works with, and remembers.
    private sealed class Worker
    {
        private const int RememberedBytes = 2 << 20;

        private readonly BpeModel _model;
        private readonly Remembered<WordToken> _parts = new(RememberedBytes);
        private readonly Remembered<WordToken>.Appender _merge;

        public Worker(BpeModel model)
        {
            _model = model;
            Merger = new BpeMerger(model._table);
            _merge = (part, tokens) => model.Merge(Merger, part, tokens);
        }

        public BpeMerger Merger { get; }

        /// <summary>Appends the tokens of a part of a word.</summary>
        public void AddPart(ReadOnlySpan<byte> part, int start, List<WordToken> tokens)
        {
            if (part.Length > Remembered<WordToken>.Longest)
            {
                var first = tokens.Count;
                _model.Merge(Merger, part, tokens);
                foreach (ref var token in System.Runtime.InteropServices.CollectionsMarshal.AsSpan(tokens)[first..])
                {
                    token = new WordToken(token.Id, start + token.Start, start + token.End);
                }

                return;
            }

            foreach (var token in _parts.TryGet(part, out var known) ? known : _parts.Add(part, _merge))
            {
                tokens.Add(new WordToken(token.Id, start + token.Start, start + token.End));
            }
        }
    }
}
