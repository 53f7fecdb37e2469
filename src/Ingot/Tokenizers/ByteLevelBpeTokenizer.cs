using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Ingot.Tokenizers;

/// <summary>
/// GPT-2's byte-level BPE (Radford et al. 2019): text is cut into pre-tokens, and the bytes of each are merged by the learnt pairs.
/// Since every byte is a token, every text has ids. Special tokens, such as <c>&lt;|endoftext|&gt;</c>, are found in the text first and
/// get their one id, as in Hugging Face's libraries.
/// </summary>
public sealed class ByteLevelBpeTokenizer : Tokenizer
{
    /// <summary>The special token that ends a document in GPT-2's vocabulary and in those trained here.</summary>
    public const string EndOfText = "<|endoftext|>";

    private readonly byte[][] _tokens;
    private readonly BpeMerge[] _merges;
    private readonly SortedDictionary<int, string> _specialTokens;
    private readonly SpecialTokens _specials;
    private readonly int[] _idOfByte;
    private readonly BpeMerges _mergeTable;
    private readonly ConcurrentBag<BpeWordEncoder> _encoders = [];

    /// <summary>Makes a tokenizer of the vocabulary, by id, and the merges in their order.</summary>
    /// <exception cref="InvalidDataException">The parts do not fit together.</exception>
    internal ByteLevelBpeTokenizer(byte[][] tokens, BpeMerge[] merges, IReadOnlyDictionary<int, string> specialTokens, string? endOfText)
    {
        _tokens = tokens;
        _merges = merges;
        _mergeTable = new BpeMerges(merges);
        _specialTokens = new SortedDictionary<int, string>(specialTokens.ToDictionary());
        _specials = new SpecialTokens(specialTokens);
        EndOfTextToken = endOfText;
        EndOfTextId = endOfText is null ? null : specialTokens.Single(token => token.Value == endOfText).Key;

        _idOfByte = new int[256];
        Array.Fill(_idOfByte, -1);
        for (var id = 0; id < tokens.Length; id++)
        {
            if (tokens[id].Length == 1 && !specialTokens.ContainsKey(id))
            {
                _idOfByte[tokens[id][0]] = id;
            }
        }

        var missing = Array.IndexOf(_idOfByte, -1);
        if (missing >= 0)
        {
            throw new InvalidDataException($"The vocabulary lacks the byte 0x{missing:X2} (\"{ByteSymbols.ToSymbols([(byte)missing])}\").");
        }

        Fingerprint = MakeFingerprint();
    }

    /// <inheritdoc/>
    public override int VocabularySize => _tokens.Length;

    /// <inheritdoc/>
    public override int? EndOfTextId { get; }

    /// <inheritdoc/>
    public override string Fingerprint { get; }

    /// <summary>The special tokens by id.</summary>
    public IReadOnlyDictionary<int, string> SpecialTokens => _specialTokens;

    /// <summary>The special token that ends a document, if there is one.</summary>
    internal string? EndOfTextToken { get; }

    /// <summary>The bytes of every token, by id.</summary>
    internal IReadOnlyList<byte[]> Tokens => _tokens;

    /// <summary>The merges in the order in which they were learnt.</summary>
    internal IReadOnlyList<BpeMerge> Merges => _merges;

    /// <inheritdoc/>
    public override void EncodeUtf8(ReadOnlySpan<byte> utf8, List<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (!_encoders.TryTake(out var encoder))
        {
            encoder = new BpeWordEncoder(_idOfByte, _mergeTable);
        }

        while (_specials.Find(utf8, out var at, out var length, out var id))
        {
            EncodeOrdinary(encoder, utf8[..at], ids);
            ids.Add(id);
            utf8 = utf8[(at + length)..];
        }

        EncodeOrdinary(encoder, utf8, ids);
        _encoders.Add(encoder);
    }

    /// <inheritdoc/>
    public override void DecodeUtf8(ReadOnlySpan<int> ids, IBufferWriter<byte> utf8)
    {
        foreach (var id in ids)
        {
            if ((uint)id >= (uint)_tokens.Length)
            {
                throw UnknownId(id);
            }

            utf8.Write(_tokens[id]);
        }
    }

    /// <inheritdoc/>
    /// <remarks>The files: tokenizer.json, tokenizer_config.json, vocab.json and merges.txt.</remarks>
    public override void Save(string folder) => TokenizerFiles.Save(this, folder);

    private static void EncodeOrdinary(BpeWordEncoder encoder, ReadOnlySpan<byte> utf8, List<int> ids)
    {
        for (var start = 0; start < utf8.Length;)
        {
            var end = Gpt2PreTokenizer.Next(utf8, start);
            encoder.Encode(utf8[start..end], ids);
            start = end;
        }
    }

    private string MakeFingerprint()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData("byte-level BPE, GPT-2 pre-tokens\n"u8);
        foreach (var token in _tokens)
        {
            hash.AppendData(BitConverter.GetBytes(token.Length));
            hash.AppendData(token);
        }

        hash.AppendData(MemoryMarshal.AsBytes<BpeMerge>(_merges));
        foreach (var id in _specialTokens.Keys)
        {
            hash.AppendData(BitConverter.GetBytes(id));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
