using System.Buffers;
using Microsoft.ML.Tokenizers;
using MLToken = Microsoft.ML.Tokenizers.EncodedToken;

namespace Ingot.Tokenizers;

/// <summary>
/// A tokenizer of Ingot's as one of Microsoft.ML.Tokenizers', for .NET libraries that take those: text splitters, token counters, chat
/// clients. Ids are those of <see cref="Tokenizer.Encode(string)"/>, without special tokens around the text. Normalization and words are
/// part of the encoding: <see cref="Microsoft.ML.Tokenizers.Tokenizer.Normalizer"/> and PreTokenizer are null, the arguments that would
/// switch them off change nothing, and all places are places in the text as it was given.
/// </summary>
/// <param name="tokenizer">The tokenizer.</param>
public sealed class MLTokenizer(Tokenizer tokenizer) : Microsoft.ML.Tokenizers.Tokenizer
{
    private static readonly EncodeOptions TextAlone = new() { AddSpecialTokens = false };

    /// <summary>The tokenizer of Ingot's.</summary>
    public Tokenizer Inner { get; } = tokenizer ?? throw new ArgumentNullException(nameof(tokenizer));

    /// <inheritdoc/>
    /// <remarks>Bytes that are no whole character come out as U+FFFD.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    public override string Decode(IEnumerable<int> ids) => Inner.Decode([.. ids]);

    /// <summary>Decodes as many ids as the destination has room for; the others can be decoded with the next call.</summary>
    /// <returns> Done; or that the destination is too small, that an id is not in the vocabulary, or that the last ids are the beginning
    /// of a character, which wait for the rest of it.
    /// </returns>
    /// <inheritdoc/>
    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten)
    {
        ArgumentNullException.ThrowIfNull(ids);
        (idsConsumed, charsWritten) = (0, 0);
        var decoder = new IncrementalDecoder(Inner);
        var taken = 0;
        foreach (var id in ids)
        {
            if (Inner.IdToToken(id) is null)
            {
                return OperationStatus.InvalidData;
            }

            var text = decoder.Append(id);
            taken++;
            if (text.Length > destination.Length - charsWritten)
            {
                return OperationStatus.DestinationTooSmall;
            }

            text.CopyTo(destination[charsWritten..]);
            charsWritten += text.Length;
            idsConsumed = text.Length > 0 ? taken : idsConsumed;
        }

        if (decoder.Finish().Length > 0)
        {
            return OperationStatus.NeedMoreData;
        }

        idsConsumed = taken;
        return OperationStatus.Done;
    }

    /// <inheritdoc/>
    protected override EncodeResults<MLToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        var encoding = Encode(text, textSpan, out var length);
        var count = Fitting(encoding, settings.MaxTokenCount);
        return new EncodeResults<MLToken>
        {
            Tokens =
            [
                .. Enumerable.Range(0, count).Select(i =>
                    new MLToken(encoding.Ids[i], encoding.Tokens[i], encoding.Offsets[i].Start..encoding.Offsets[i].End)),
            ],
            CharsConsumed = EndOf(encoding, count, length),
        };
    }

    /// <inheritdoc/>
    protected override EncodeResults<int> EncodeToIds(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        if (settings.MaxTokenCount == int.MaxValue)
        {
            var all = text is null ? textSpan : text.AsSpan();
            return new EncodeResults<int> { Tokens = Inner.Encode(all), CharsConsumed = all.Length };
        }

        var encoding = Encode(text, textSpan, out var length);
        var count = Fitting(encoding, settings.MaxTokenCount);
        return new EncodeResults<int> { Tokens = encoding.Ids[..count], CharsConsumed = EndOf(encoding, count, length) };
    }

    /// <inheritdoc/>
    protected override int CountTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings) =>
        EncodeToIds(text, textSpan, settings).Tokens.Count;

    /// <inheritdoc/>
    protected override int GetIndexByTokenCount(
        string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings, bool fromEnd, out string? normalizedText, out int tokenCount)
    {
        normalizedText = null;
        var encoding = Encode(text, textSpan, out var length);
        if (!fromEnd)
        {
            tokenCount = Fitting(encoding, settings.MaxTokenCount);
            return EndOf(encoding, tokenCount, length);
        }

        var total = encoding.Ids.Length;
        var first = Math.Max(0, total - settings.MaxTokenCount);
        while (first > 0 && first < total && SharesCharacter(encoding, first))
        {
            first++;
        }

        tokenCount = total - first;
        return first == 0 ? 0 : first == total ? length : encoding.Offsets[first].Start;
    }

    private TokenEncoding Encode(string? text, ReadOnlySpan<char> textSpan, out int length)
    {
        text ??= textSpan.ToString();
        length = text.Length;
        return Inner.Tokenize(text, options: TextAlone);
    }

    // How many tokens from the first on. The tokens of one character stay together.
    private static int Fitting(TokenEncoding encoding, int most)
    {
        var count = Math.Min(encoding.Ids.Length, Math.Max(0, most));
        while (count > 0 && count < encoding.Ids.Length && SharesCharacter(encoding, count))
        {
            count--;
        }

        return count;
    }

    private static bool SharesCharacter(TokenEncoding encoding, int token) =>
        encoding.Offsets[token].Start < encoding.Offsets[token - 1].End;

    private static int EndOf(TokenEncoding encoding, int count, int length) =>
        count == encoding.Ids.Length ? length : count == 0 ? 0 : encoding.Offsets[count - 1].End;
}
