using Ingot.Tokenizers;
using Ingot.Tokenizers.Files;
using Ingot.Tokenizers.PostProcessors;

namespace Ingot.Training;

/// <summary>Tokenizers that encoders need: with tokens that begin, part and end texts, fill them up, and stand for masked tokens.</summary>
internal static class EncoderTokenizer
{
    /// <summary>Trains a byte-level BPE with BERT's or RoBERTa's special tokens, which stand around every text.</summary>
    public static Tokenizer Train(IEnumerable<ReadOnlyMemory<byte>> utf8, int vocabularySize, bool roberta, CancellationToken ct)
    {
        var roles = roberta ? SpecialTokenRoles.Roberta : SpecialTokenRoles.Bert;
        var special = roles.All.Select(role => role.Token).OfType<string>().Distinct();
        // The padding token's id is fixed: BERT's is 0, RoBERTa's 1, behind which its positions begin.
        string[] ordered = [.. roberta ? ["<s>", "<pad>"] : (string[])["[PAD]"], .. special];
        var trained = BpeTrainer.Train(utf8, vocabularySize, specialTokens: [.. ordered.Distinct()], cancellationToken: ct);
        var tokens = new ClsAndSep((roles.Sep!, trained.TokenToId(roles.Sep!)!.Value), (roles.Cls!, trained.TokenToId(roles.Cls!)!.Value));
        return TokenizerFolder.Make(trained.Parts with
        {
            Roles = roles,
            PostProcessor = roberta ? new RobertaProcessing(tokens, trimOffsets: true, addPrefixSpace: false) : new BertProcessing(tokens),
        });
    }

    /// <summary>Checks that a tokenizer has what an encoder's texts need.</summary>
    /// <exception cref="InvalidDataException">A token is missing; the message names it.</exception>
    public static void Require(Tokenizer tokenizer, bool masks)
    {
        foreach (var (id, name) in new[] { (tokenizer.ClsId, "cls_token"), (tokenizer.SepId, "sep_token"),
            (masks ? tokenizer.MaskId : 0, "mask_token") })
        {
            if (id is null)
            {
                throw new InvalidDataException($"the tokenizer has no {name}, which an encoder's texts need: take one that was made for a "
                    + "BERT or RoBERTa, or leave tokenizer out, which trains one");
            }
        }
    }

    /// <summary>Tokens that are not part of texts.</summary>
    public static IEnumerable<int> SpecialIds(Tokenizer tokenizer) =>
        tokenizer.AddedTokens.Where(token => token.Special).Select(token => token.Id)
            .Concat(new[] { tokenizer.ClsId, tokenizer.SepId, tokenizer.MaskId, tokenizer.PadId, tokenizer.UnkId }.OfType<int>());
}
