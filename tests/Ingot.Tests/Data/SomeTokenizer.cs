using System.Buffers;
using Ingot.Tokenizers;

namespace Ingot.Tests.Data;

/// <summary>A vocabulary of any size, for files of made-up tokens.</summary>
internal sealed class SomeTokenizer(int vocabularySize, int? endOfText = null) : Tokenizer
{
    public override int VocabularySize => vocabularySize;

    public override int? EndOfTextId => endOfText;

    public override string Fingerprint => string.Concat(Enumerable.Repeat("0123456789abcdef", 4));

    public override SpecialTokenRoles Roles => new();

    public override IReadOnlyList<AddedToken> AddedTokens => [];

    public override int? TokenToId(string token) => throw new NotSupportedException();

    public override string? IdToToken(int id) => throw new NotSupportedException();

    public override TokenEncoding Tokenize(string text, string? pair = null, EncodeOptions? options = null) =>
        throw new NotSupportedException();

    public override IReadOnlyList<TokenEncoding> TokenizeBatch(
        IEnumerable<(string Text, string? Pair)> texts, EncodeOptions? options = null) =>
        throw new NotSupportedException();

    public override string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens) => throw new NotSupportedException();

    public override Tokenizer WithSpecialTokens(params IEnumerable<string> tokens) => throw new NotSupportedException();

    public override Tokenizer WithRoles(SpecialTokenRoles roles) => throw new NotSupportedException();

    public override void EncodeUtf8(ReadOnlySpan<byte> utf8, List<int> ids) => throw new NotSupportedException();

    public override void DecodeUtf8(ReadOnlySpan<int> ids, IBufferWriter<byte> utf8) => throw new NotSupportedException();

    public override IEnumerable<(string Name, string Value)> Describe() => throw new NotSupportedException();

    public override void Save(string folder) => throw new NotSupportedException();
}
